"""What flipping single mask bits would do to many readings at once, to first order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
import torch.nn.functional as F

from sparsecbm_core.data.batches import Encoded, collate, length_buckets
from sparsecbm_core.intervene.subnetwork import Subnetwork
from sparsecbm_core.models.parallel import side_by_side
from sparsecbm_core.models.subnetworks import EffectiveWeights, active

BATCH = 16
OWN = -1  # in place of a state: the one a review is read as


def leads(logits: torch.Tensor, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """By how much each state leads the best other one (N,), and which that is (N,); logits (N, C)."""
    own = logits.gather(1, states[:, None])[:, 0]
    best = logits.scatter(1, states[:, None], -torch.inf).max(1)
    return own - best.values, best.indices


def directions(logits: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """∂lead/∂logits (N, C): +1 at the state, −1 at the best other one."""
    other = leads(logits, states)[1]
    count = logits.shape[1]
    return (F.one_hot(states, count) - F.one_hot(other, count)).to(logits.dtype)


@dataclass(frozen=True)
class _Part:
    """Reviews ``rows`` of one batch: per matrix the layer's input x (B, T, I) and δ = ∂lead/∂output
    (B, T, O)."""

    rows: list[int]
    layers: dict[str, tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Linearised:
    """N reviews read by one subnetwork, with what tells how a lead moves with every weight.

    ``states`` (N,) are those the leads are of, ``leads`` (N,) how far they are ahead. For review n and
    weight (o, i) of a matrix ∂lead/∂θ_eff = Σ_t δ[n, t, o]·x[n, t, i]: one backward pass to the outputs
    of the layers gives every review's own derivative, without a gradient of the size of the weights.
    """

    subnetwork: Subnetwork
    states: torch.Tensor
    leads: torch.Tensor
    parts: list[_Part]

    @classmethod
    def of(
        cls, subnetwork: Subnetwork, encoded: Sequence[Encoded], states: torch.Tensor, half: bool = False
    ) -> Linearised:
        """Read ``encoded`` reviews; ``states`` (N,) may be `OWN`. With ``half`` the matrix products are in
        bfloat16, which is close enough to choose by."""
        model, k = subnetwork.model, subnetwork.index
        network = subnetwork.network
        states, ahead = states.clone(), torch.empty(len(encoded))
        matrices = subnetwork.matrices()
        if half:
            matrices = {name: matrix.bfloat16() for name, matrix in matrices.items()}

        def record(rows: list[int]) -> _Part:
            tokens = collate([encoded[i] for i in rows], int(model.tokenizer.pad_token_id))
            layers = {name: _Recorded(matrix) for name, matrix in matrices.items()}
            with torch.inference_mode(False), torch.enable_grad():
                embeds = network.embed(tokens.input_ids.to(model.device)).detach().requires_grad_()
                precision = torch.autocast(
                    model.device.type, torch.bfloat16, enabled=half, cache_enabled=False
                )
                with active(EffectiveWeights((subnetwork.concept,), layers)), precision:
                    pooled = network.pooled(embeds, tokens.attention_mask.to(model.device))
                logits = pooled.float() @ network.projector[k].T + network.projector_bias[k]  # (B, C)
                said = logits.detach()
                own = torch.where(states[rows] == OWN, said.argmax(-1).cpu(), states[rows])
                chosen = directions(said, own.to(said.device))
                outputs = [layer.outputs for layer in layers.values()]
                pulls = torch.autograd.grad((logits * chosen).sum(), outputs)
            states[rows], ahead[rows] = own, (said * chosen).sum(-1).cpu()
            inputs = [layer.inputs for layer in layers.values()]
            return _Part(rows, dict(zip(layers, zip(inputs, pulls, strict=True), strict=True)))

        buckets = length_buckets([len(item.ids) for item in encoded], BATCH, None)
        parts = side_by_side(record, buckets, model.device)
        return cls(subnetwork, states, ahead, parts)

    def effects(self, indices: torch.Tensor) -> torch.Tensor:
        """What each flip at sorted ``indices`` (n,) would add to each lead: (N, n)."""
        subnetwork = self.subnetwork
        added = torch.zeros(len(self.leads), len(indices), device=indices.device)
        starts = dict(zip(subnetwork.shapes, accumulate(subnetwork.sizes, initial=0), strict=False))

        def add(name: str) -> None:
            outputs, inputs = subnetwork.shapes[name]
            ends = torch.tensor([starts[name], starts[name] + outputs * inputs], device=indices.device)
            low, high = torch.searchsorted(indices, ends).tolist()
            local = indices[low:high] - starts[name]
            o, i = local // inputs, local % inputs
            for part in self.parts:
                x, pull = part.layers[name]
                reads, writes = x.flatten(0, -2), pull.flatten(0, -2)  # (B·T, I) and (B·T, O)
                both = reads.index_select(1, i) * writes.index_select(1, o)  # (B·T, n)
                added[part.rows, low:high] = both.unflatten(0, (len(part.rows), -1)).sum(1).float()

        side_by_side(add, subnetwork.shapes, indices.device)
        sign = torch.where(subnetwork.kept[indices], -1.0, 1.0)
        return added * (sign * subnetwork.theta[indices])


def read(subnetwork: Subnetwork, encoded: Sequence[Encoded]) -> torch.Tensor:
    """Concept logits (N, C) of encoded reviews, on the CPU."""
    model = subnetwork.model
    logits = torch.empty(len(encoded), model.space.num_states)

    def one(rows: list[int]) -> None:
        tokens = collate([encoded[i] for i in rows], int(model.tokenizer.pad_token_id))
        batch = tokens.input_ids.to(model.device), tokens.attention_mask.to(model.device)
        logits[rows] = subnetwork.read(batch).float().cpu()

    side_by_side(one, length_buckets([len(item.ids) for item in encoded], BATCH, None), model.device)
    return logits


class _Recorded:
    """One matrix of one concept that remembers what went in and what came out."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight
        self.inputs = self.outputs = weight

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        self.inputs = x.detach()
        self.outputs = F.linear(x, self.weight, bias)
        return self.outputs

    def with_replaced(self, k: int, weight: torch.Tensor) -> _Recorded:
        return _Recorded(weight)

    def only(self, k: int) -> _Recorded:
        return self

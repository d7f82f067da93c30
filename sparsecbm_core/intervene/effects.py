"""What flipping single mask bits would do to many readings at once, to first order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
import torch.nn.functional as F

from sparsecbm_core.data.batches import Encoded, collate
from sparsecbm_core.intervene.reading import batches_of
from sparsecbm_core.intervene.subnetwork import Subnetwork
from sparsecbm_core.models.parallel import side_by_side
from sparsecbm_core.models.subnetworks import EffectiveWeights, RowWeights, active

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
class Linearised:
    """N reviews read by one subnetwork, and how their leads would move with each of n flips.

    ``states`` (N,) are those the leads are of, ``leads`` (N,) how far they are ahead, ``effects`` (N, n) what
    each flip would add. For review n and weight (o, i) of a matrix ∂lead/∂θ_eff = Σ_t δ[n, t, o]·x[n, t, i],
    with the layer's input x and δ = ∂lead/∂output: one backward pass to the outputs of the layers gives every
    review's own derivative, without a gradient of the size of the weights. x and δ are of one batch at a
    time: those of all reviews together would take ten times the memory of the model.
    """

    states: torch.Tensor
    leads: torch.Tensor
    effects: torch.Tensor

    @classmethod
    def of(
        cls,
        subnetwork: Subnetwork,
        encoded: Sequence[Encoded],
        states: torch.Tensor,
        indices: torch.Tensor,
        half: bool = False,
    ) -> Linearised:
        """Read ``encoded`` reviews, for flips at sorted ``indices`` (n,); ``states`` (N,) may be `OWN`.

        With ``half`` the matrix products are in bfloat16, which is close enough to choose by.
        """
        model, network = subnetwork.model, subnetwork.network
        states, ahead = states.clone(), torch.empty(len(encoded))
        added = torch.zeros(len(encoded), len(indices), device=indices.device)
        places, weights = _places(subnetwork, indices), subnetwork.weights()
        if half:
            weights = weights.to(torch.bfloat16)

        def one(rows: list[int]) -> None:
            tokens = collate([encoded[i] for i in rows], int(model.tokenizer.pad_token_id))
            layers = {name: _Recorded(matrix) for name, matrix in weights.matrices.items()}
            with torch.inference_mode(False), torch.enable_grad():
                embeds = network.embed(tokens.input_ids.to(model.device)).detach().requires_grad_()
                precision = torch.autocast(
                    model.device.type, torch.bfloat16, enabled=half, cache_enabled=False
                )
                with active(EffectiveWeights((subnetwork.concept,), layers)), precision:
                    pooled = network.pooled(embeds, tokens.attention_mask.to(model.device))
                logits = subnetwork.project(pooled.float())
                said = logits.detach()
                own = torch.where(states[rows] == OWN, said.argmax(-1).cpu(), states[rows])
                chosen = directions(said, own.to(said.device))
                outputs = [layer.outputs for layer in layers.values()]
                pulls = torch.autograd.grad((logits * chosen).sum(), outputs)
            states[rows], ahead[rows] = own, (said * chosen).sum(-1).cpu()
            for pull, (name, layer) in zip(pulls, layers.items(), strict=True):
                part, o, i = places[name]
                reads, writes = layer.inputs.flatten(0, -2), pull.flatten(0, -2)  # (B·T, I) and (B·T, O)
                both = reads.index_select(1, i) * writes.index_select(1, o)  # (B·T, n)
                added[rows, part] = both.unflatten(0, (len(rows), -1)).sum(1).float()

        side_by_side(one, batches_of(encoded), model.device)
        sign = torch.where(subnetwork.kept[indices], -1.0, 1.0)
        return cls(states, ahead, added * (sign * subnetwork.theta[indices]))


def _places(
    subnetwork: Subnetwork, indices: torch.Tensor
) -> dict[str, tuple[slice, torch.Tensor, torch.Tensor]]:
    """Which of the sorted ``indices`` are in a matrix, and in which of its rows and columns."""
    places = {}
    starts = accumulate(subnetwork.sizes, initial=0)
    for (name, (outputs, inputs)), start in zip(subnetwork.shapes.items(), starts, strict=False):
        ends = torch.tensor([start, start + outputs * inputs], device=indices.device)
        low, high = torch.searchsorted(indices, ends).tolist()
        local = indices[low:high] - start
        places[name] = slice(low, high), local // inputs, local % inputs
    return places


def read(subnetwork: Subnetwork, encoded: Sequence[Encoded]) -> torch.Tensor:
    """Concept logits (N, C) of encoded reviews, on the CPU."""
    model = subnetwork.model
    logits = torch.empty(len(encoded), model.space.num_states)
    weights = subnetwork.weights()

    def one(rows: list[int]) -> None:
        tokens = collate([encoded[i] for i in rows], int(model.tokenizer.pad_token_id))
        batch = tokens.input_ids.to(model.device), tokens.attention_mask.to(model.device)
        logits[rows] = subnetwork.read_with(weights, batch).float().cpu()

    side_by_side(one, batches_of(encoded), model.device)
    return logits


class _Recorded:
    """One matrix of one concept that remembers what went in and what came out."""

    def __init__(self, weights: RowWeights) -> None:
        self.weights = weights
        self.inputs = self.outputs = torch.empty(0)

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        self.inputs = x.detach()
        self.outputs = self.weights.linear(x, bias)
        return self.outputs

    def with_replaced(self, k: int, weight: torch.Tensor) -> _Recorded:
        return _Recorded(self.weights.with_replaced(k, weight))

    def only(self, k: int) -> _Recorded:
        return self

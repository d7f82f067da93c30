"""One concept of many reviews: read exactly, or in bfloat16 where the processor is faster at that.

What bfloat16 reads is near; `HalfError` says which states and labels it leaves in doubt for this very model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sparsecbm_core.data.batches import collate, length_buckets
from sparsecbm_core.models.parallel import side_by_side
from sparsecbm_core.models.subnetworks import EffectiveWeights, active

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded
    from sparsecbm_core.models.concept_model import ConceptModel

Batch = tuple[torch.Tensor, torch.Tensor]  # ids and attention mask, (B, T) each
BATCH = 16
PARTS = 4  # batches at least, so that no core waits long for another
FEW = 4  # reviews that one batch takes in any case, and that tell how fast this machine is
GAIN = 0.75  # bfloat16 must take less than this share of the exact time, or it is not worth its error
SAMPLE = 64  # reviews that the error is measured on
# Leads below so many root mean square errors are in doubt. In 27 readings of 243 reviews by the bundled
# model, after 14 single corrections and along a chain of 40, the largest error was 9.2 of them for states;
# in the first 14 it was 8.4 for labels.
FACTOR = 12.0
LEAST = 1e-4  # an error that float32 itself makes


def batches_of(encoded: Sequence[Encoded]) -> list[list[int]]:
    """Batches of similar length, to be read side by side: the longest first, for what comes last is what all
    others wait for."""
    size = min(BATCH, max(FEW, -(-len(encoded) // PARTS)))
    return length_buckets([len(item.ids) for item in encoded], size, None)[::-1]


def batch_of(model: ConceptModel, encoded: Sequence[Encoded]) -> Batch:
    """Reviews as one padded batch on the model's device."""
    tokens = collate(encoded, int(model.tokenizer.pad_token_id))
    return tokens.input_ids.to(model.device), tokens.attention_mask.to(model.device)


def concept_logits(model: ConceptModel, texts: Sequence[str], concept: str) -> torch.Tensor:
    """Logits (N, C) of one concept, by its subnetwork alone: a Kth of a full reading."""
    return read_part(model, model.encode(texts), concept)[:, : model.space.num_states]


def read_part(
    model: ConceptModel,
    encoded: Sequence[Encoded],
    part: str,
    *,
    half: bool | torch.Tensor = False,
    weights: EffectiveWeights | None = None,
) -> torch.Tensor:
    """Readings (N, R) of one concept, or of the rest; ``weights`` of this part alone replace the model's own.

    With ``half``, said of all reviews or of each (N,), the matrix products are in bfloat16; the residual
    stream, LayerNorms and the projector stay in float32. Logits are then off by some hundredths.
    """
    network, k = model.cbm, model.cbm.part_index(part)
    if weights is None and model.weights is not None:
        weights = model.weights.only(part)
    chosen = torch.full((len(encoded),), half) if isinstance(half, bool) else half
    # Converted once and not in every batch.
    halved = weights.to(torch.bfloat16) if weights is not None and bool(chosen.any()) else weights
    readings = torch.empty(len(encoded), network.readout[1].shape[1])

    def read(batch: tuple[list[int], bool]) -> None:
        indices, quick = batch
        ids, mask = batch_of(model, [encoded[i] for i in indices])
        # The cache of autocast would keep copies of weights that are used once.
        precision = torch.autocast(model.device.type, torch.bfloat16, enabled=quick, cache_enabled=False)
        with torch.inference_mode(), active(halved if quick else weights), precision:
            pooled = network.pooled(network.embed(ids), mask)  # (B, E)
        with torch.inference_mode():
            said = network.project(pooled.float()[None], [k])[:, 0]
        readings[indices] = said.cpu()

    batches: list[tuple[list[int], bool]] = []
    for quick in (False, True):  # the slow ones first
        rows = (chosen == quick).nonzero().flatten().tolist()
        own = batches_of([encoded[i] for i in rows])
        batches += [([rows[i] for i in batch], quick) for batch in own]
    side_by_side(read, batches, model.device)
    return readings


def half_is_faster(model: ConceptModel, encoded: Sequence[Encoded]) -> bool:
    """Whether reading in bfloat16 pays on this machine, by a few of these reviews.

    Older processors emulate it; accelerators are quick enough to read everything exactly.
    """
    if model.device.type != "cpu" or model.masks is None:
        return False
    by_length = sorted(encoded, key=lambda item: len(item.ids))
    few, concept = by_length[len(by_length) // 2 :][:FEW], model.space.concepts[0]
    return half_pays(lambda half: read_part(model, few, concept, half=half))


def half_pays(work: Callable[[bool], object]) -> bool:
    """Whether ``work`` done in bfloat16 (True) takes much less time than exactly, tried in turns."""
    seconds = {True: float("inf"), False: float("inf")}
    for half in (True, False) * 2:
        started = time.thread_time()  # other work on the machine does not count
        work(half)
        seconds[half] = min(seconds[half], time.thread_time() - started)
    return seconds[True] < GAIN * seconds[False]


@dataclass(frozen=True)
class HalfError:
    """Root mean square error, per part, of what is read of it in bfloat16: a state's lead over the others, or
    whatever else is further off.

    Errors do not add up along a chain of corrections: each reading is made of the weights as they are.
    """

    lead: tuple[float, ...]

    @classmethod
    def measure(cls, model: ConceptModel, encoded: Sequence[Encoded], readings: torch.Tensor) -> HalfError:
        """From up to `SAMPLE` of the reviews, read both ways; ``readings`` (N, P, R) are the exact ones."""
        stride, states = -(-len(encoded) // SAMPLE), model.space.num_states
        sample, exact = encoded[::stride], readings[::stride]
        errors = []
        for k, part in enumerate(model.cbm.parts):
            half = read_part(model, sample, part, half=True)
            off = half - exact[:, k]  # (n, R)
            if k < model.space.num_concepts:
                lead = lead_error(half[:, :states], exact[:, k, :states])
                off = torch.cat([lead[:, None], off[:, states:]], 1)
            errors.append(off.abs().amax(1))
        return cls(tuple(max(LEAST, float(error.square().mean().sqrt())) for error in errors))

    def state_in_doubt(self, logits: torch.Tensor, k: int) -> torch.Tensor:
        """Reviews (N,) whose state of concept k could be another: logits (N, C) read in bfloat16."""
        first = logits.topk(2, -1).values
        return first[:, 0] - first[:, 1] < FACTOR * self.lead[k]

    def label_in_doubt(
        self, model: ConceptModel, readings: torch.Tensor, exact: torch.Tensor
    ) -> torch.Tensor:
        """Reviews (N,) whose label could be another: readings (N, P, R), some of them ``exact`` (N, P).

        An error of ε in what is read of part k moves the lead of label y over y′ by at most
        ε Σ_r |∂(ŷ_y − ŷ_y′)/∂r|, to first order; the errors of different parts are independent, so their
        squares add.
        """
        with torch.inference_mode(False), torch.enable_grad():
            leaves = readings.to(model.device).clone().requires_grad_()
            labels = model.cbm.label_logits(model.cbm.activate(leaves))  # (N, Y)
            first = labels.argmax(-1, keepdim=True)
            ahead = labels.gather(-1, first) - labels
            slopes = [
                torch.autograd.grad(ahead[:, y].sum(), leaves, retain_graph=True)[0].abs().sum(-1).cpu()
                for y in range(labels.shape[1])
            ]
        off = torch.stack(slopes, 1) * torch.tensor(self.lead) * ~exact[:, None]  # (N, Y, P)
        close = ahead.detach().cpu() < FACTOR * off.square().sum(-1).sqrt()
        return close.scatter(-1, first.cpu(), False).any(-1)


def label_logits(model: ConceptModel, readings: torch.Tensor) -> torch.Tensor:
    """Label logits (N, Y) on the CPU that follow from readings (N, P, R)."""
    return model.predictions(readings).label_logits


def leads(logits: torch.Tensor, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """By how much each state leads the best other one (N,), and which that is (N,); logits (N, C)."""
    own = logits.gather(1, states[:, None])[:, 0]
    best = logits.scatter(1, states[:, None], -torch.inf).max(1)
    return own - best.values, best.indices


def lead_error(read: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """The largest error (N,) of the first's leads over each of the others; both (N, C)."""
    first = read.argmax(-1, keepdim=True)
    ahead, truly = (logits.gather(-1, first) - logits for logits in (read, exact))
    return (ahead - truly).abs().amax(-1)

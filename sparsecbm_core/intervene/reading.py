"""One concept of many reviews: read exactly, or in bfloat16 where the processor is faster at that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from sparsecbm_core.data.batches import collate, length_buckets
from sparsecbm_core.models.parallel import side_by_side
from sparsecbm_core.models.subnetworks import active

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded
    from sparsecbm_core.models.concept_model import ConceptModel

BATCH = 16
PARTS = 4  # batches at least, so that no core waits long for another
FEW = 4  # reviews that one batch takes in any case, and that tell how fast this machine is
GAIN = 0.75  # bfloat16 must take less than this share of the exact time, or it is not worth its error


def batches_of(encoded: Sequence[Encoded]) -> list[list[int]]:
    """Batches of similar length, to be read side by side: the longest first, for what comes last is what all
    others wait for."""
    size = min(BATCH, max(FEW, -(-len(encoded) // PARTS)))
    return length_buckets([len(item.ids) for item in encoded], size, None)[::-1]


def read_concept(
    model: ConceptModel, encoded: Sequence[Encoded], concept: str, *, half: bool | torch.Tensor = False
) -> torch.Tensor:
    """Logits (N, C) of one concept, by its subnetwork alone: a Kth of a full reading.

    With ``half``, said of all reviews or of each (N,), the matrix products are in bfloat16; the residual
    stream, LayerNorms and the projector stay in float32. Logits are then off by some hundredths.
    """
    network, k = model.cbm, model.space.concept_index(concept)
    weights = None if model.weights is None else model.weights.only(concept)
    chosen = torch.full((len(encoded),), half) if isinstance(half, bool) else half
    # Converted once and not in every batch.
    halved = weights.to(torch.bfloat16) if weights is not None and bool(chosen.any()) else weights
    logits = torch.empty(len(encoded), model.space.num_states)

    def read(batch: tuple[list[int], bool]) -> None:
        indices, quick = batch
        tokens = collate([encoded[i] for i in indices], int(model.tokenizer.pad_token_id))
        ids, mask = tokens.input_ids.to(model.device), tokens.attention_mask.to(model.device)
        # The cache of autocast would keep copies of weights that are used once.
        precision = torch.autocast(model.device.type, torch.bfloat16, enabled=quick, cache_enabled=False)
        with torch.inference_mode(), active(halved if quick else weights), precision:
            pooled = network.pooled(network.embed(ids), mask)  # (B, E)
        with torch.inference_mode():
            said = pooled.float() @ network.projector[k].T + network.projector_bias[k]
        logits[indices] = said.cpu()

    batches: list[tuple[list[int], bool]] = []
    for quick in (False, True):  # the slow ones first
        rows = (chosen == quick).nonzero().flatten().tolist()
        own = batches_of([encoded[i] for i in rows])
        batches += [([rows[i] for i in batch], quick) for batch in own]
    side_by_side(read, batches, model.device)
    return logits


def half_is_faster(model: ConceptModel, encoded: Sequence[Encoded]) -> bool:
    """Whether bfloat16 pays on this machine: a few of these reviews, read both ways against the clock.

    Older processors emulate it; accelerators are quick enough to read everything exactly.
    """
    if model.device.type != "cpu" or model.masks is None:
        return False
    by_length = sorted(encoded, key=lambda item: len(item.ids))
    few, seconds = by_length[len(by_length) // 2 :][:FEW], {True: float("inf"), False: float("inf")}
    for half in (True, False) * 2:
        started = time.thread_time()  # other work on the machine does not count
        read_concept(model, few, model.space.concepts[0], half=half)
        seconds[half] = min(seconds[half], time.thread_time() - started)
    return seconds[True] < GAIN * seconds[False]

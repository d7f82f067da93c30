"""A text without its first-ranked words, or with nothing but them, read by every subnetwork at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from sparsecbm_core.data.batches import padded
from sparsecbm_core.explain.words import without_words
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.subnetworks import EffectiveWeights

SHARES = tuple(n / 10 for n in range(1, 11))
# Rows × tokens read at once, without a graph.
ROW_TOKENS = 4096
COMPREHENSIVENESS, SUFFICIENCY = 0, 1  # places on the axis of `erasure_drops`


def state_probability(logits: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """Probability (…, K) of each concept's state from logits (…, K, C) and ``states`` (K,)."""
    index = states.cpu()[:, None].expand(*logits.shape[:-1], 1)
    return logits.cpu().double().softmax(-1).gather(-1, index).squeeze(-1)


def removed_words(share: float, words: int) -> int:
    """How many of ``words`` a share of them is: rounded up, so that every share takes one at least."""
    return min(words, math.ceil(share * words - 1e-9))


def erasure_drops(
    network: SparseCBM,
    weights: EffectiveWeights | None,
    ids: Sequence[int],
    words: Sequence[Sequence[int]],
    rankings: np.ndarray,
    states: torch.Tensor,
    pad_id: int,
    shares: Sequence[float] = SHARES,
) -> np.ndarray:
    """What the state of each concept loses (DeYoung et al., 2020, Eqs. 1 and 2), float64 (R, K, 2, S).

    ``ids`` are the T tokens of one text and ``words`` the token positions of its G words; ``rankings``
    (R, K, G) are orders of the words, first the one that matters most; ``states`` (K,) the explained states.
    For each ranking and concept, and each of S ``shares`` of the words: the state's probability in the full
    text minus that without its first words (comprehensiveness), and minus that of its first words alone
    (sufficiency).

    Words are deleted from the sequence as leave-one-out does it, special tokens and white space stay, and
    a text of which nothing is left is one padding token. Concept k's texts are read by subnetwork k alone.
    """
    total, (count, concepts, _) = len(words), rankings.shape
    drops = np.zeros((count, concepts, 2, len(shares)))
    # One text without any word, and one with all, serve every ranking.
    tasks = [
        (ranking, kind, place)
        for ranking in range(count)
        for kind in (COMPREHENSIVENESS, SUFFICIENCY)
        for place, share in enumerate(shares)
        if removed_words(share, total) < total
    ]
    rows = [[list(ids)] * concepts, [without_words(ids, words, range(total), pad_id)] * concepts]
    for ranking, kind, place in tasks:
        cut = removed_words(shares[place], total)
        chosen = rankings[ranking, :, :cut] if kind == COMPREHENSIVENESS else rankings[ranking, :, cut:]
        rows.append([without_words(ids, words, chosen[k], pad_id) for k in range(concepts)])
    values = state_probability(_read(network, weights, rows, pad_id), states).numpy()  # (N, K)
    full, blank = values[0], values[1]
    drops[:, :, COMPREHENSIVENESS] = (full - blank)[:, None]  # where all words go; the other is 0 there
    for (ranking, kind, place), value in zip(tasks, values[2:], strict=True):
        drops[ranking, :, kind, place] = full - value
    return drops


def _read(
    network: SparseCBM, weights: EffectiveWeights | None, rows: Sequence[Sequence[list[int]]], pad_id: int
) -> torch.Tensor:
    """Concept logits (N, K, C) of N times K texts, text k of each read by subnetwork k."""
    concepts, device = len(rows[0]), network.projector.device
    longest = [max(map(len, row)) for row in rows]
    order = sorted(range(len(rows)), key=longest.__getitem__, reverse=True)
    found: list[torch.Tensor] = [torch.empty(0)] * len(rows)
    start = 0
    while start < len(order):
        chunk = order[start : start + max(1, ROW_TOKENS // (concepts * longest[order[start]]))]
        texts = [text for row in chunk for text in rows[row]]  # concept fastest
        ids, mask = padded(texts, pad_id, device)
        with torch.inference_mode():
            logits = network.row_logits(network.embed(ids), mask, weights).unflatten(0, (-1, concepts))
        for row, values in zip(chunk, logits.float().cpu(), strict=True):
            found[row] = values
        start += len(chunk)
    return torch.stack(found)

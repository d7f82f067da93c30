"""From scores to masks: exact counts, global or per matrix, and distinct subnetworks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Scores = Mapping[str, np.ndarray]  # matrix → (K, O·I) float


def kept_total(total: int, sparsity: float) -> int:
    """Weights kept at a sparsity, rounded to the nearest one."""
    return round(total * (1.0 - sparsity))


def allocate(scores: Scores, sparsity: float, scope: str) -> dict[str, np.ndarray]:
    """How many weights each concept keeps in each matrix, (K,) integers; sums are exact.

    Scope "global" counts a concept's highest scores over the whole encoder, so layers differ in
    density; "matrix" gives every matrix the same share, remainders going to the largest ones.
    """
    names = list(scores)
    sizes = np.array([scores[name].shape[1] for name in names])
    concepts = scores[names[0]].shape[0]
    keep = kept_total(int(sizes.sum()), sparsity)
    counts = np.zeros((concepts, len(names)), dtype=np.int64)
    if scope == "matrix":
        share = sizes * (keep / sizes.sum())
        base = np.floor(share).astype(np.int64)
        order = np.argsort(-(share - base), kind="stable")
        base[order[: keep - base.sum()]] += 1
        counts[:] = base
    else:
        owner = np.repeat(np.arange(len(names)), sizes)
        for k in range(concepts):
            joined = np.concatenate([scores[name][k] for name in names])
            counts[k] = np.bincount(owner[top_indices(joined, keep)], minlength=len(names))
    return {name: counts[:, i] for i, name in enumerate(names)}


def top_indices(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of exactly ``count`` highest values; ties at the edge are cut, not kept."""
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    if count >= values.size:
        return np.arange(values.size)
    return np.argpartition(-values, count - 1)[:count]


def unit_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of (K, n) values within each row, scaled to [0, 1] float32; the highest is 1."""
    ranks = np.empty(values.shape, dtype=np.float32)
    scale = np.linspace(0.0, 1.0, values.shape[1], dtype=np.float32)
    for row, out in zip(values, ranks, strict=True):
        out[np.argsort(row, kind="stable")] = scale
    return ranks


def exclusive_scores(values: np.ndarray, strength: float) -> np.ndarray:
    """rank_k − strength · max over other concepts of their rank: (K, n) → (K, n).

    A weight that another concept ranks highly counts for less, which pulls subnetworks apart
    where the raw scores, dominated by θ², would pick nearly the same weights for all.
    """
    if strength == 0.0 or values.shape[0] == 1:
        return values
    ranks = unit_ranks(values)
    adjusted = np.empty_like(ranks)
    for k in range(ranks.shape[0]):
        adjusted[k] = ranks[k] - strength * np.delete(ranks, k, axis=0).max(axis=0)
    return adjusted


def select(scores: Scores, sparsity: float, scope: str, strength: float) -> dict[str, np.ndarray]:
    """Boolean masks (K, O·I) per matrix at exactly this sparsity; ``strength`` is λ·target/s."""
    counts = allocate(scores, sparsity, scope)
    masks = {}
    for name, values in scores.items():
        adjusted = exclusive_scores(values, strength)
        mask = np.zeros(values.shape, dtype=bool)
        for k in range(values.shape[0]):
            mask[k, top_indices(adjusted[k], int(counts[name][k]))] = True
        masks[name] = mask
    return masks

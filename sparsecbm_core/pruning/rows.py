"""Structured masks: output neurons kept or pruned as wholes, at counts exact to one weight.

A neuron is one row of a matrix. What is left of a pruned one is its bias, which no mask covers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sparsecbm_core.pruning.select import Scores, exclusive_scores, kept_total, top_indices


def row_scores(scores: Scores, widths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """One score per output neuron, the sum over its row: (K, O·I) → (K, O) float64."""
    return {
        name: values.reshape(len(values), -1, widths[name]).sum(axis=2, dtype=np.float64)
        for name, values in scores.items()
    }


def allocate_rows(
    rows: Scores, widths: Mapping[str, int], sparsity: float, scope: str
) -> dict[str, np.ndarray]:
    """How many *weights* each concept keeps in each matrix, (K,) integers, from row scores (K, O).

    They add up to `kept_total` exactly, and are whole rows in all matrices but one. Scope "global" ranks
    the rows of the whole encoder by their score per weight, since it is weights that are counted and a
    row of the second feed-forward matrix has four times as many; "matrix" gives every matrix its share
    in whole rows, and what is left to those whose share was cut most.
    """
    names = list(rows)
    width = np.array([widths[name] for name in names])
    heights = np.array([rows[name].shape[1] for name in names])
    sizes = width * heights
    concepts = rows[names[0]].shape[0]
    keep = kept_total(int(sizes.sum()), sparsity)
    counts = np.zeros((concepts, len(names)), dtype=np.int64)
    if scope == "matrix":
        share = heights * (keep / sizes.sum())  # in rows
        whole = np.floor(share).astype(np.int64)
        counts[:] = whole * width
        left = int(keep - (whole * width).sum())
        for i in np.argsort(-(share - whole), kind="stable"):
            given = min(left, int(width[i])) if whole[i] < heights[i] else 0
            counts[:, i] += given
            left -= given
    else:
        owner = np.repeat(np.arange(len(names)), heights)
        for k in range(concepts):
            per_weight = np.concatenate([rows[name][k] / widths[name] for name in names])
            ranked = owner[np.argsort(-per_weight, kind="stable")]
            filled = np.cumsum(width[ranked])
            whole_rows = int(np.searchsorted(filled, keep, side="right"))
            np.add.at(counts[k], ranked[:whole_rows], width[ranked[:whole_rows]])
            if whole_rows < len(ranked):
                counts[k, ranked[whole_rows]] += keep - (filled[whole_rows - 1] if whole_rows else 0)
    return {name: counts[:, i] for i, name in enumerate(names)}


def select_rows(
    scores: Scores, widths: Mapping[str, int], sparsity: float, scope: str, strength: float
) -> dict[str, np.ndarray]:
    """As `select`, with the rows of a matrix (``widths`` weights each) kept or pruned as wholes.

    The counts are the same `kept_total`, to the weight: of all of a concept's rows at most one is kept in
    part, by the highest scores inside it. Exclusivity works on the ranks of rows.
    """
    rows = row_scores(scores, widths)
    counts = allocate_rows(rows, widths, sparsity, scope)
    masks = {}
    for name, values in scores.items():
        width = widths[name]
        adjusted = exclusive_scores(rows[name], strength)
        mask = np.zeros((len(values), rows[name].shape[1], width), dtype=bool)
        for k, row_values in enumerate(values.reshape(mask.shape)):
            order = np.argsort(-adjusted[k], kind="stable")
            whole, rest = divmod(int(counts[name][k]), width)
            mask[k, order[:whole]] = True
            if rest:
                mask[k, order[whole], top_indices(row_values[order[whole]], rest)] = True
        masks[name] = mask.reshape(values.shape)
    return masks

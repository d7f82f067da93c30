"""Whole output neurons: exact counts, at most one row in part, and rows that concepts do not share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.pruning.rows import allocate_rows, row_scores, select_rows
from sparsecbm_core.pruning.select import kept_total

SCOPES = ("global", "matrix")


@st.composite
def matrices(draw):
    """Matrix → scores (K, O·I) with ties or none, and matrix → I."""
    concepts = draw(st.integers(1, 4))
    shapes = draw(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ties = draw(st.sampled_from([1, 3, None]))
    scores, widths = {}, {}
    for i, (rows, width) in enumerate(shapes):
        size = (concepts, rows * width)
        values = rng.random(size) if ties is None else rng.integers(0, ties, size)
        scores[f"m{i}"], widths[f"m{i}"] = values.astype(np.float32), width
    return scores, widths


sparsities = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0]))


@given(matrices(), sparsities, st.sampled_from(SCOPES), st.sampled_from([0.0, 0.3, 0.8, 1.0]))
def test_exact_to_one_weight_and_whole_but_for_one_row(drawn, sparsity, scope, strength):
    scores, widths = drawn
    masks = select_rows(scores, widths, sparsity, scope, strength)
    total = sum(values.shape[1] for values in scores.values())
    concepts = len(next(iter(scores.values())))
    for k in range(concepts):
        assert sum(int(mask[k].sum()) for mask in masks.values()) == kept_total(total, sparsity)
        partial = 0
        for name, mask in masks.items():
            kept = mask[k].reshape(-1, widths[name]).sum(axis=1)
            partial += int(((kept > 0) & (kept < widths[name])).sum())
        assert partial <= 1
    assert {name: (mask.dtype, mask.shape) for name, mask in masks.items()} == {
        name: (np.dtype(bool), values.shape) for name, values in scores.items()
    }


@given(matrices(), sparsities, st.sampled_from(SCOPES))
def test_the_rows_kept_score_no_less_than_those_pruned(drawn, sparsity, scope):
    scores, widths = drawn
    sums, masks = row_scores(scores, widths), select_rows(scores, widths, sparsity, scope, 0.0)
    for name, mask in masks.items():
        for k, values in enumerate(sums[name]):
            kept = mask[k].reshape(-1, widths[name]).any(axis=1)
            if kept.any() and not kept.all():
                assert values[kept].min() >= values[~kept].max()


def test_global_by_hand():
    """Rows of two and of four weights; by score per weight the order is b0 (5), a1 (3), b1 (2), a0 (1)."""
    scores = {
        "a": np.array([[1.0, 1.0, 2.0, 4.0]], np.float32),  # rows 2, 6
        "b": np.array([[5.0, 5.0, 5.0, 5.0, 8.0, 0.0, 0.0, 0.0]], np.float32),  # rows 20, 8
    }
    widths = {"a": 2, "b": 4}
    assert {name: rows.tolist() for name, rows in row_scores(scores, widths).items()} == {
        "a": [[2.0, 6.0]],
        "b": [[20.0, 8.0]],
    }
    half = select_rows(scores, widths, 0.5, "global", 0.0)  # six weights: b0 and a1
    assert half["a"].tolist() == [[False, False, True, True]]
    assert half["b"].tolist() == [[True] * 4 + [False] * 4]
    more = select_rows(scores, widths, 5 / 12, "global", 0.0)  # seven: of b1 the weight that scores most
    assert more["a"].tolist() == half["a"].tolist()
    assert more["b"].tolist() == [[True] * 5 + [False] * 3]


def test_matrix_by_hand():
    """Half of three rows of two and of two rows of four: one row of each, and the rest of seven to "a"."""
    rows = {"a": np.array([[1.0, 3.0, 2.0]]), "b": np.array([[1.0, 2.0]])}
    counts = allocate_rows(rows, {"a": 2, "b": 4}, 0.5, "matrix")
    assert {name: count.tolist() for name, count in counts.items()} == {"a": [3], "b": [4]}
    # 5 of 14: shares of 1.07 and 0.71 rows, and "b" has lost most
    counts = allocate_rows(rows, {"a": 2, "b": 4}, 9 / 14, "matrix")
    assert {name: count.tolist() for name, count in counts.items()} == {"a": [2], "b": [3]}


def test_ties_do_not_tear_rows_apart():
    scores = {"m": np.ones((2, 12), np.float32)}
    for keep in range(13):
        for mask in select_rows(scores, {"m": 3}, 1 - keep / 12, "global", 0.5)["m"]:
            assert sorted(mask.reshape(4, 3).sum(axis=1), reverse=True) == [
                max(0, min(3, keep - 3 * row)) for row in range(4)
            ]


@pytest.mark.parametrize("scope", SCOPES)
def test_exclusivity_pulls_rows_apart(scope):
    rng = np.random.default_rng(0)
    shared, own = rng.random((1, 400, 1)), 0.3 * rng.random((3, 400, 1))
    scores = {"m": ((shared + own) * rng.random((3, 400, 5))).reshape(3, -1).astype(np.float32)}

    def overlap(strength):
        rows = select_rows(scores, {"m": 5}, 0.75, scope, strength)["m"].reshape(3, 400, 5).all(axis=2)
        return np.mean(
            [(rows[a] & rows[b]).sum() / (rows[a] | rows[b]).sum() for a, b in ((0, 1), (0, 2), (1, 2))]
        )

    overlaps = [overlap(strength) for strength in (0.0, 0.3, 0.6, 1.0)]
    assert overlaps == sorted(overlaps, reverse=True)
    assert overlaps[-1] < 0.5 * overlaps[0]

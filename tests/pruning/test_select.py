"""From scores to masks: exact counts for all sparsities, the best weights, and distinct subnetworks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.pruning.select import (
    allocate,
    exclusive_scores,
    kept_total,
    select,
    top_indices,
    unit_ranks,
)

SCOPES = ("global", "matrix")


@st.composite
def scores(draw):
    """Matrix → (K, n), with many ties or none."""
    concepts = draw(st.integers(1, 4))
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ties = draw(st.sampled_from([1, 3, None]))
    return {
        f"m{i}": (
            rng.random((concepts, size)) if ties is None else rng.integers(0, ties, (concepts, size))
        ).astype(np.float32)
        for i, size in enumerate(sizes)
    }


sparsities = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0]))


@given(scores(), sparsities, st.sampled_from(SCOPES), st.sampled_from([0.0, 0.3, 0.8, 1.0]))
def test_exact_to_one_weight(values, sparsity, scope, strength):
    masks = select(values, sparsity, scope, strength)
    total = sum(matrix.shape[1] for matrix in values.values())
    kept = sum(mask.sum(axis=1) for mask in masks.values())
    assert set(kept) == {kept_total(total, sparsity)}
    assert abs(total * (1 - sparsity) - kept[0]) <= 0.5 + 1e-9
    assert {name: mask.shape for name, mask in masks.items()} == {n: v.shape for n, v in values.items()}
    counts = allocate(values, sparsity, scope)
    for name, mask in masks.items():
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask.sum(axis=1), counts[name])


@given(scores(), sparsities)
def test_global_keeps_the_highest_scores_of_the_whole_encoder(values, sparsity):
    masks = select(values, sparsity, "global", 0.0)
    for k in range(next(iter(values.values())).shape[0]):
        joined = np.concatenate([values[name][k] for name in values])
        kept = np.concatenate([masks[name][k] for name in values])
        if kept.any() and not kept.all():
            assert joined[kept].min() >= joined[~kept].max()


@given(scores(), sparsities)
def test_matrix_keeps_the_highest_scores_of_each_matrix(values, sparsity):
    masks = select(values, sparsity, "matrix", 0.0)
    for name, mask in masks.items():
        size = mask.shape[1]
        for kept, row in zip(mask, values[name], strict=True):
            assert abs(kept.sum() - size * (1 - sparsity)) < 2  # its share, rounded
            if kept.any() and not kept.all():
                assert row[kept].min() >= row[~kept].max()


def test_global_counts_by_hand():
    values = {
        "a": np.array([[5.0, 4.0, 3.0], [1.0, 1.5, 0.0]], np.float32),
        "b": np.array([[1.0, 2.0, 9.0], [7.0, 8.0, 9.0]], np.float32),
    }
    counts = allocate(values, 0.5, "global")
    assert {name: count.tolist() for name, count in counts.items()} == {"a": [2, 0], "b": [1, 3]}
    masks = select(values, 0.5, "global", 0.0)
    assert masks["a"].tolist() == [[True, True, False], [False, False, False]]
    assert masks["b"].tolist() == [[False, False, True], [True, True, True]]
    counts = allocate(values, 0.5, "matrix")
    assert sum(counts.values()).tolist() == [3, 3]
    assert {count.tolist()[0] for count in counts.values()} == {1, 2}


def test_a_remainder_goes_to_the_matrix_whose_share_is_cut_most():
    """Six of 13 weights: shares of 1.38 and 4.62 become 1 and 5."""
    values = {"a": np.ones((2, 3), np.float32), "b": np.ones((2, 10), np.float32)}
    counts = allocate(values, 7 / 13, "matrix")
    assert {name: count.tolist() for name, count in counts.items()} == {"a": [1, 1], "b": [5, 5]}


def test_ties_are_cut_not_kept():
    values = {"m": np.ones((2, 10), np.float32)}
    for keep in range(11):
        assert select(values, 1 - keep / 10, "global", 0.5)["m"].sum(axis=1).tolist() == [keep, keep]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(-1, 22))
def test_top_indices(values, count):
    array = np.array(values, dtype=np.float32)
    chosen = top_indices(array, count)
    expected = max(0, min(count, len(values)))
    assert len(chosen) == len(set(chosen.tolist())) == expected
    assert sorted(array[chosen].tolist()) == sorted(values)[len(values) - expected :]


@given(st.integers(1, 3), st.integers(2, 50), st.integers(0, 2**32 - 1))
def test_unit_ranks_order_as_the_values_do(concepts, size, seed):
    values = np.random.default_rng(seed).permuted(np.tile(np.arange(size), (concepts, 1)), axis=1) ** 3
    ranks = unit_ranks(values)
    assert ranks.dtype == np.float32
    np.testing.assert_allclose(
        np.sort(ranks, axis=1), np.tile(np.linspace(0, 1, size), (concepts, 1)), atol=1e-6
    )
    for row, rank in zip(values, ranks, strict=True):
        np.testing.assert_array_equal(np.argsort(row), np.argsort(rank))


def test_exclusive_scores_by_hand():
    values = np.array([[10.0, 30.0, 20.0], [1.0, 9.0, 5.0], [7.0, 3.0, 5.0]])
    # ranks: [0, 1, ½], [0, 1, ½], [1, 0, ½]
    expected = [[0 - 0.4, 1 - 0.4, 0.5 - 0.2], [0 - 0.4, 1 - 0.4, 0.5 - 0.2], [1, 0 - 0.4, 0.5 - 0.2]]
    np.testing.assert_allclose(exclusive_scores(values, 0.4), expected, atol=1e-6)


def test_exclusive_scores_need_another_concept_and_a_strength():
    values = np.array([[10.0, 30.0, 20.0]])
    assert exclusive_scores(values, 0.9) is values
    two = np.array([[10.0, 30.0], [1.0, 2.0]])
    assert exclusive_scores(two, 0.0) is two


def correlated(concepts=3, size=2000, own=0.3):
    """Scores that agree among concepts, as those dominated by θ² do."""
    rng = np.random.default_rng(0)
    return {"m": (rng.random(size) + own * rng.random((concepts, size))).astype(np.float32)}


def mean_jaccard(masks):
    mask = masks["m"]
    pairs = [(a, b) for a in range(len(mask)) for b in range(a)]
    return np.mean([(mask[a] & mask[b]).sum() / (mask[a] | mask[b]).sum() for a, b in pairs])


@pytest.mark.parametrize("scope", SCOPES)
def test_exclusivity_pulls_subnetworks_apart(scope):
    overlaps = [mean_jaccard(select(correlated(), 0.75, scope, strength)) for strength in (0, 0.3, 0.6, 1.0)]
    assert overlaps == sorted(overlaps, reverse=True)
    assert overlaps[0] > 0.6
    assert overlaps[-1] < 0.5 * overlaps[0]


@given(scores(), sparsities, st.sampled_from(SCOPES))
def test_exclusivity_keeps_the_density_of_every_matrix(values, sparsity, scope):
    """λ decides which weights a matrix keeps, not how many."""
    plain, apart = select(values, sparsity, scope, 0.0), select(values, sparsity, scope, 0.9)
    for name in values:
        np.testing.assert_array_equal(plain[name].sum(axis=1), apart[name].sum(axis=1))

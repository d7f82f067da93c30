"""Correlations against numpy and least squares, pairs against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.evaluate.classification import gold_states
from sparsecbm_core.evaluate.error_overlap import (
    correlation,
    error_overlap,
    length_and_label,
    rank_correlation,
    spearman,
)
from tests.tiny import with_masks
from tests.toy import dataset, make_example, toy_reviews


def test_phi_of_a_table_by_hand():
    """4 both, 1 and 1 one of them, 4 neither: (4·4 − 1·1) / 25."""
    a = np.array([1] * 5 + [0] * 5)
    b = np.array([1] * 4 + [0, 1] + [0] * 4)
    assert correlation(a, b, draws=50).value == pytest.approx(0.6)


@given(st.integers(0, 1000))
def test_correlations_are_those_of_numpy_and_of_least_squares(seed):
    rng = np.random.default_rng(seed)
    given_columns = rng.normal(size=(40, 2))
    a = given_columns @ [1.0, -0.5] + rng.normal(size=40)
    b = given_columns @ [0.7, 0.2] + rng.normal(size=40)
    assert correlation(a, b, draws=1).value == pytest.approx(np.corrcoef(a, b)[0, 1])
    design = np.column_stack([np.ones(40), given_columns])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (a, b)]
    assert correlation(a, b, given_columns, draws=1).value == pytest.approx(np.corrcoef(*left)[0, 1])


def test_what_both_share_with_a_third_is_taken_out():
    """Two errors that only a hard kind of review makes are unrelated within the kind."""
    rng = np.random.default_rng(0)
    hard = rng.integers(0, 2, 4000)
    a, b = (rng.random((2, 4000)) < 0.05 + 0.6 * hard).astype(float)
    plain, partial = correlation(a, b), correlation(a, b, hard[:, None].astype(float))
    assert plain.low > 0.2
    assert partial.low < 0 < partial.high
    assert abs(partial.value) < 0.05


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng, hits = np.random.default_rng(1), 0
    for trial in range(60):
        a, shared = rng.normal(size=(2, 120))
        b = 0.5 * a + np.sqrt(0.75) * shared
        found = correlation(a, b, draws=300, seed=trial)
        hits += found.low <= 0.5 <= found.high
    assert 50 <= hits <= 60


def test_copies_in_a_group_make_no_interval_narrower():
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 2, (2, 60)).astype(float)
    groups = [f"g{i}" for i in range(60)]
    alone = correlation(a, b, groups=groups)
    copied = correlation(np.repeat(a, 5), np.repeat(b, 5), groups=np.repeat(groups, 5))
    wrong = correlation(np.repeat(a, 5), np.repeat(b, 5))
    assert copied.value == pytest.approx(alone.value)
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert wrong.high - wrong.low < 0.6 * (copied.high - copied.low)
    assert (copied.count, copied.clusters) == (300, 60)


def test_draws_are_seeded_and_blocks_change_nothing_but_memory(monkeypatch):
    a, b = np.random.default_rng(3).normal(size=(2, 30))
    whole = correlation(a, b, draws=100, seed=1)
    assert whole == correlation(a, b, draws=100, seed=1) != correlation(a, b, draws=100, seed=2)
    monkeypatch.setattr("sparsecbm_core.evaluate.intervals._CELLS", 90)
    found = correlation(a, b, draws=100, seed=1)  # how a product is cut moves the last digits
    assert (found.low, found.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


def test_what_never_changes_has_no_correlation():
    a = np.array([0.0, 1.0, 0.0, 1.0])
    assert correlation(a, np.ones(4)) is None
    assert correlation(a, np.array([0.0, 0.0, 1.0, 1.0]), a[:, None]) is None  # all of it explained
    assert correlation(a, a, groups=["g"] * 4).low is None
    with pytest.raises(SettingsError, match="draws must be"):
        correlation(a, a, draws=0)


def test_spearman_is_scipys():
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.integers(0, 5, (2, 12)).astype(float)  # with ties
        assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert np.isnan(spearman(np.ones(4), np.arange(4.0)))


def test_ranks_go_together_or_not():
    points = [0.1, 0.2, 0.3, 0.4]
    up = rank_correlation(points, [1, 2, 3, 9], list("abcd"))
    assert (up.value, up.high, up.count, up.clusters) == (1.0, 1.0, 4, 4)
    assert rank_correlation(points, [9, 3, 2, 1], list("abcd")).value == -1.0
    assert rank_correlation(points, [5, 5, 5, 5], list("abcd")) is None
    assert rank_correlation([], [], []) is None
    assert rank_correlation(points, [1, 2, 3, 9], ["one"] * 4).low is None
    with pytest.raises(InputError, match="4 and 4 values with 1 groups"):
        rank_correlation(points, points, ["a"])


def test_pairs_are_counted_on_the_models_own_errors(tiny_model):
    data = toy_reviews(40, "dev")
    found = error_overlap(tiny_model, data, draws=50)
    wrong = tiny_model.predict(data.texts).states.numpy() != gold_states(data)
    assert [(pair.first, pair.second) for pair in found] == list(tiny_model.masks.jaccard())
    for pair in found:
        a, b = (wrong[:, tiny_model.space.concept_index(name)] for name in (pair.first, pair.second))
        assert pair.both_wrong == (a & b).sum()
        assert pair.expected == pytest.approx(a.mean() * b.mean() * 40)
        assert pair.phi.value == pytest.approx(np.corrcoef(a, b)[0, 1])
        assert pair.jaccard == tiny_model.masks.jaccard()[pair.first, pair.second]
        assert pair.chance == pytest.approx(1 / 7, abs=1e-3)
        assert pair.partial.low <= pair.partial.value <= pair.partial.high
    assert found == error_overlap(tiny_model, data, tiny_model.predict(data.texts), draws=50)


def test_length_and_label_are_columns():
    data = dataset([make_example(0, (0, 2, 2), 0), make_example(1, (2, 2, 2), 3)])
    assert length_and_label(data) == pytest.approx(
        np.array([[np.log(5), 0, 0, 0], [np.log(4), 0, 0, 1]])
    )  # "the soup was cold", "we had dessert"


def test_a_dense_model_shares_everything_and_is_refused(tiny_model):
    with pytest.raises(InputError, match="no masks, and so no overlap"):
        error_overlap(with_masks(tiny_model, None), toy_reviews(4, "dev"))

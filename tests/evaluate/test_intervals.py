"""Intervals against scipy, against sums worked out by hand, and on clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.evaluate.classification import macro_f1
from sparsecbm_core.evaluate.intervals import bootstrap, macro_f1_interval, wilson


def test_wilson_by_hand():
    """8 of 10 at z = 1.96: (0.8 + z²/20 ± z·√(0.016 + z²/400)) / (1 + z²/10)."""
    found = wilson(8, 10)
    assert (found.low, found.high) == pytest.approx((0.49016, 0.94332), abs=1e-5)
    assert (found.value, found.count, found.method) == (0.8, 10, "wilson")


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.99))
def test_wilson_is_scipys(case, level):
    found = wilson(*case, level)
    expected = stats.binomtest(*case).proportion_ci(level, method="wilson")
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-9)


def test_bootstrap_of_two_values_by_hand():
    """0 and 1 drawn twice: mean 0, ½ or 1 with probability ¼, ½, ¼."""
    narrow, wide = bootstrap([0, 1], level=0.4), bootstrap([0, 1], level=0.6)
    assert (narrow.value, narrow.low, narrow.high) == (0.5, 0.5, 0.5)
    assert (wide.low, wide.high) == (0.0, 1.0)


def test_bootstrap_is_scipys():
    values = np.random.default_rng(1).normal(size=80)
    found = bootstrap(values, draws=20_000)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_groups_are_drawn_whole():
    """Copies of every value add nothing, if it is known that they are copies."""
    values = np.random.default_rng(0).integers(0, 2, 40).astype(float)
    copies, names = np.repeat(values, 9), np.repeat([f"g{n}" for n in range(40)], 9)
    alone = bootstrap(values, seed=3)
    grouped, wrong = bootstrap(copies, names, seed=3), bootstrap(copies, seed=3)
    assert grouped.value == pytest.approx(alone.value)
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert wrong.high - wrong.low < 0.5 * (grouped.high - grouped.low)
    assert (grouped.count, grouped.clusters) == (360, 40)


def test_groups_of_different_sizes_weigh_by_size():
    """Group a (three ones) or b (one zero): drawn twice, the mean is 1, ¾ or 0."""
    found = bootstrap([1, 1, 1, 0], ["a", "a", "a", "b"], level=0.4)
    assert (found.value, found.low, found.high) == (0.75, 0.75, 0.75)
    assert bootstrap([1, 1, 1, 0], ["a", "a", "a", "b"], level=0.6).low == 0.0


def test_draws_are_seeded_and_blocks_change_nothing_but_memory(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    assert bootstrap(values, seed=1) == bootstrap(values, seed=1)
    assert bootstrap(values, seed=1) != bootstrap(values, seed=2)
    whole = bootstrap(values, seed=1)
    monkeypatch.setattr("sparsecbm_core.evaluate.intervals._CELLS", 300)
    found = bootstrap(values, seed=1)  # how a product is cut moves the last digits
    assert (found.low, found.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


def test_one_group_has_no_interval():
    found = bootstrap([0, 1], ["a", "a"])
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="3 of 2 is not a share"):
        wilson(3, 2)
    with pytest.raises(InputError, match="0 of 0"):
        wilson(0, 0)
    for values, groups in (([], None), ([1.0, 2.0], ["a"]), ([[1.0]], None)):
        with pytest.raises(InputError, match="one group a value"):
            bootstrap(values, groups)
    with pytest.raises(SettingsError, match="between 0 and 1, got 95"):
        bootstrap([1.0], level=95)
    with pytest.raises(SettingsError, match="draws must be"):
        bootstrap([1.0], draws=0)


def test_the_f1_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    gold, said = rng.integers(4, size=(2, 60))
    gold[gold == 3] = 0  # a class that is never gold, and one (4) that never occurs at all
    found = macro_f1_interval(gold, said, 5, [str(i) for i in range(60)], draws=200)
    assert found.value == pytest.approx(macro_f1(gold, said))
    assert found.low < found.value < found.high
    assert (found.count, found.clusters, found.method) == (60, 60, "bootstrap")


def test_of_several_columns_the_mean():
    rng = np.random.default_rng(1)
    gold, said = rng.integers(3, size=(2, 40, 2))
    found = macro_f1_interval(gold, said, 3, ["g"] * 20 + [str(i) for i in range(20)], draws=50)
    assert found.value == pytest.approx(np.mean([macro_f1(gold[:, k], said[:, k]) for k in range(2)]))
    assert found.clusters == 21


def test_of_f1_too_groups_are_drawn_whole():
    """Two groups, one all right and one all wrong: a draw is both right (1), mixed, or both wrong (0)."""
    gold, said = np.array([0, 1, 0, 1]), np.array([0, 1, 1, 0])
    found = macro_f1_interval(gold, said, 2, ["a", "a", "b", "b"], draws=400)
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high) == (0.0, 1.0)


def test_the_f1_of_one_group_has_no_interval():
    found = macro_f1_interval(np.array([0, 1]), np.array([0, 0]), 2, ["a", "a"])
    assert (found.low, found.high, found.clusters) == (None, None, 1)


def test_a_seed_gives_the_same_ends_of_f1():
    gold, said = np.random.default_rng(2).integers(3, size=(2, 30))
    groups = [str(i // 2) for i in range(30)]
    ends = {macro_f1_interval(gold, said, 3, groups, 100, seed).low for seed in (0, 0, 5)}
    assert len(ends) == 2


def test_rows_that_do_not_match_are_refused():
    with pytest.raises(InputError, match="one row and one group a review"):
        macro_f1_interval(np.array([0, 1]), np.array([0, 1]), 2, ["a"])

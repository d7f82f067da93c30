"""Macro-F1 with its interval: the value is scikit-learn's, the ends are those of drawn groups."""

from __future__ import annotations

import numpy as np
import pytest

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import macro_f1
from sparsecbm_core.evaluate.f1_intervals import macro_f1_interval


def test_the_value_is_scikit_learn_s():
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


def test_groups_are_drawn_whole_by_hand():
    """Two groups, one all right and one all wrong: a draw is both right (1), mixed, or both wrong (0)."""
    gold, said = np.array([0, 1, 0, 1]), np.array([0, 1, 1, 0])
    found = macro_f1_interval(gold, said, 2, ["a", "a", "b", "b"], draws=400)
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high) == (0.0, 1.0)


def test_one_group_has_no_interval():
    found = macro_f1_interval(np.array([0, 1]), np.array([0, 0]), 2, ["a", "a"])
    assert (found.low, found.high, found.clusters) == (None, None, 1)


def test_a_seed_gives_the_same_ends():
    gold, said = np.random.default_rng(2).integers(3, size=(2, 30))
    groups = [str(i // 2) for i in range(30)]
    ends = {macro_f1_interval(gold, said, 3, groups, 100, seed).low for seed in (0, 0, 5)}
    assert len(ends) == 2


def test_rows_that_do_not_match_are_refused():
    with pytest.raises(InputError, match="one row and one group a review"):
        macro_f1_interval(np.array([0, 1]), np.array([0, 1]), 2, ["a"])

"""When the sparsity rises, and that it never overshoots."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.config import PruneSettings
from sparsecbm_core.pruning.schedule import cubic_sparsity, update_steps

counts = st.integers(1, 40)
targets = st.floats(0, 0.999)


def test_cubic_by_hand():
    values = [cubic_sparsity(update, 4, 0.8) for update in range(5)]
    assert values == pytest.approx([0, 0.8 * 37 / 64, 0.8 * 56 / 64, 0.8 * 63 / 64, 0.8])


@given(counts, targets)
def test_rises_to_the_target_and_never_above(updates, target):
    values = [cubic_sparsity(update, updates, target) for update in range(updates + 1)]
    assert values[0] == 0
    assert values[-1] == target
    assert values == sorted(values)
    assert all(0 <= value <= target for value in values)
    rises = [after - before for before, after in pairwise(values)]
    assert all(after <= before + 1e-12 for before, after in pairwise(rises))  # steep first


@given(counts, st.integers(1, 500), st.floats(0.01, 1))
def test_updates_fit_into_their_share_of_the_phase(updates, total, share):
    steps = update_steps(PruneSettings(updates=updates, schedule_share=share), total)
    assert next(iter(steps)) == 0
    assert list(steps) == sorted(steps)
    assert list(steps.values()) == sorted(set(steps.values()))
    assert max(steps.values()) == updates  # the full sparsity is always reached
    assert max(steps) < max(1, total * share)
    assert len(steps) == min(updates, max(1, int(total * share)))


def test_evenly_spaced():
    settings = PruneSettings(updates=3, schedule_share=0.6)
    assert update_steps(settings, 100) == {0: 1, 20: 2, 40: 3}


@pytest.mark.parametrize(("total", "expected"), [(1, {0: 6}), (2, {0: 6}), (5, {0: 2, 1: 4, 2: 6})])
def test_short_phases_make_fewer_updates_and_always_the_last(total, expected):
    assert update_steps(PruneSettings(updates=6, schedule_share=0.6), total) == expected

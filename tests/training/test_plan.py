"""Phases of a run in order, and work units that never fall and end at their total."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.config import HEAD_KINDS, PruneSettings, TrainSettings
from sparsecbm_core.training.plan import (
    CONCEPTS,
    DENSE,
    HEAD,
    PART_STEP_COST,
    SPARSE,
    SPARSE_STEP_COST,
    PhasePlan,
    RunProgress,
    plan_phases,
)

SETTINGS = TrainSettings(
    "tiny", dense_epochs=2, sparse_epochs=3, batch_size=4, prune=PruneSettings(updates=2)
)


def test_a_sparse_run_has_two_phases():
    dense, sparse = plan_phases(SETTINGS, 10, from_model=False)
    assert (dense.name, dense.epochs, dense.steps_per_epoch, dense.total) == (DENSE, 2, 3, 6)
    assert (dense.encoder_lr, dense.updates) == (SETTINGS.encoder_lr, {})
    assert (sparse.name, sparse.epochs, sparse.steps_per_epoch, sparse.total) == (SPARSE, 3, 3, 9)
    assert sparse.encoder_lr == SETTINGS.sparse_encoder_lr
    assert sparse.updates == {0: 1, 2: 2}  # inside the first 60 % of nine steps
    assert sparse.num_updates == 2


def test_phases_that_are_left_out():
    assert [plan.name for plan in plan_phases(SETTINGS, 10, from_model=True)] == [SPARSE]
    for kind in ("standard", "cbm"):
        settings = TrainSettings("tiny", kind)
        assert [plan.name for plan in plan_phases(settings, 10, from_model=False)] == [DENSE]
    sparse_only = TrainSettings("tiny", dense_epochs=0)
    assert [plan.name for plan in plan_phases(sparse_only, 10, from_model=False)] == [SPARSE]


@pytest.mark.parametrize("kind", HEAD_KINDS)
def test_a_head_of_its_own_has_a_phase_of_its_own(kind):
    settings = TrainSettings("tiny", kind, dense_epochs=2, head_epochs=5, batch_size=4)
    concepts, head = plan_phases(settings, 10, from_model=False)
    assert (concepts.name, concepts.epochs, concepts.encoder_lr) == (CONCEPTS, 2, settings.encoder_lr)
    assert (head.name, head.epochs, head.steps_per_epoch, head.encoder_lr) == (HEAD, 5, 3, 0.0)
    assert [head.units(steps) for steps in (0, 2, 3, 15)] == [0, 0, 1, 5]
    assert plan_phases(settings, 10, from_model=True) == [head]
    assert [plan.is_second for plan in (concepts, head)] == [False, True]


def test_epochs_count_from_the_last_update_on():
    plan = PhasePlan(SPARSE, 4, 5, 1e-4, {0: 1, 5: 2, 7: 3})
    assert [plan.reached_sparsity(epoch) for epoch in range(4)] == [False, True, True, True]
    assert PhasePlan(SPARSE, 2, 5, 1e-4, {0: 1, 4: 2}).reached_sparsity(0)
    assert PhasePlan(DENSE, 2, 5, 1e-4).reached_sparsity(0)


def test_units_by_hand():
    plan = PhasePlan(SPARSE, 2, 3, 1e-4, {0: 1, 2: 2}, num_grads=10)
    assert [plan.units(steps) for steps in range(4)] == [0, 4 + 40, 8 + 40, 12 + 80]
    assert plan.units() == 24 + 80
    assert PhasePlan(DENSE, 2, 3, 1e-4, num_grads=10).units() == 6
    assert PhasePlan(SPARSE, 2, 3, 1e-4, {0: 1}, num_grads=10, step_cost=2).units() == 12 + 40


def test_a_partition_is_made_at_once_and_its_steps_cost_less():
    settings = TrainSettings(
        "tiny", sparse_epochs=3, batch_size=4, prune=PruneSettings(updates=2, method="partition")
    )
    (plan,) = plan_phases(settings, 10, from_model=True)
    assert (plan.updates, plan.step_cost) == ({0: 1}, PART_STEP_COST)


@given(st.integers(0, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(1, 4))
def test_progress_of_a_whole_run(dense_epochs, sparse_epochs, steps, updates, num_grads):
    prune = PruneSettings(updates=updates, num_grads=num_grads)
    settings = TrainSettings(
        "tiny", dense_epochs=dense_epochs, sparse_epochs=sparse_epochs, batch_size=1, prune=prune
    )
    plans, reports = plan_phases(settings, steps, from_model=False), []
    progress = RunProgress(plans, lambda *report: reports.append(report))
    for plan in plans:
        progress.steps(plan, 0)
        for step in range(plan.total):
            for gradient in range(num_grads if step in plan.updates else 0):
                progress.gradients(plan, step, gradient + 1, "update")
            progress.steps(plan, step + 1, "step")
    progress.note("finish")
    done, totals, _ = zip(*reports, strict=True)
    assert list(done) == sorted(done)
    assert len(set(totals)) == 1
    assert (done[0], done[-1]) == (0, totals[0])
    assert max(after - before for before, after in pairwise(done)) <= SPARSE_STEP_COST

"""The phases of a run, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sparsecbm_core.config import HEAD_KINDS, TrainSettings
from sparsecbm_core.progress import OnWork
from sparsecbm_core.pruning.schedule import update_steps

DENSE, CONCEPTS, HEAD, SPARSE = "dense", "concepts", "head", "sparse"
SPARSE_STEP_COST = 4  # a sparse step, and a gradient for the masks, read every review K times
PART_STEP_COST = 2  # a step in which every subnetwork multiplies with its own part alone


@dataclass(frozen=True)
class PhasePlan:
    """One phase of a run: its epochs, its encoder rate, and the mask updates by step.

    Work is counted in units: a dense step is one, a sparse step ``step_cost``, each of the ``num_grads``
    gradients of a mask update `SPARSE_STEP_COST`; a whole epoch of the head phase, in which the encoder
    reads nothing, is one.
    """

    name: str
    epochs: int
    steps_per_epoch: int
    encoder_lr: float
    updates: dict[int, int] = field(default_factory=dict)
    num_grads: int = 0
    step_cost: int = SPARSE_STEP_COST

    @property
    def total(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def is_second(self) -> bool:
        """Whether it follows another phase, or what another run made: its reviews come in other orders."""
        return self.name in (HEAD, SPARSE)

    @property
    def num_updates(self) -> int:
        """The number of the last update; short phases make fewer than that."""
        return max(self.updates.values(), default=0)

    def reached_sparsity(self, epoch: int) -> bool:
        """Whether the masks are final after ``epoch`` (counted from 0)."""
        return not self.updates or (epoch + 1) * self.steps_per_epoch > max(self.updates)

    def units(self, steps: int | None = None) -> int:
        """Work of the first ``steps`` steps and the mask updates before them; of all by default."""
        steps = self.total if steps is None else steps
        updates = sum(step < steps for step in self.updates)
        if self.name in (DENSE, CONCEPTS):
            return steps
        if self.name == HEAD:
            return steps // self.steps_per_epoch
        return steps * self.step_cost + updates * self.num_grads * SPARSE_STEP_COST


def plan_phases(
    settings: TrainSettings, examples: int, from_model: bool, masks_stay: bool = False
) -> list[PhasePlan]:
    """The phases of a run of this kind, in order.

    The dense one, unless the run starts from a model; for "sparse" the sparse one after it, without mask
    updates where the masks of that model stay. For "sequential" and "independent" the first is called
    `CONCEPTS`, and the head phase follows.
    """
    steps, plans = -(-examples // settings.batch_size), []
    apart = settings.kind in HEAD_KINDS
    if settings.dense_epochs and not from_model:
        first = CONCEPTS if apart else DENSE
        plans.append(PhasePlan(first, settings.dense_epochs, steps, settings.encoder_lr))
    if apart:
        plans.append(PhasePlan(HEAD, settings.head_epochs, steps, 0.0))  # the encoder rests
    if settings.kind == "sparse":
        parts = settings.prune.method == "partition"
        updates = update_steps(settings.prune, settings.sparse_epochs * steps)
        if parts:
            updates = {0: 1}  # all at once
        if masks_stay:
            updates = {}
        plans.append(
            PhasePlan(
                SPARSE,
                settings.sparse_epochs,
                steps,
                settings.sparse_encoder_lr,
                updates,
                settings.prune.num_grads,
                PART_STEP_COST if parts else SPARSE_STEP_COST,
            )
        )
    return plans


class RunProgress:
    """Reports ``(done, total, message)`` in work units that never fall and end at the total."""

    def __init__(self, plans: Sequence[PhasePlan], report: OnWork) -> None:
        self._report = report
        self._before = {plan.name: sum(p.units() for p in plans[:i]) for i, plan in enumerate(plans)}
        self._total = sum(plan.units() for plan in plans)
        self._done = 0

    def steps(self, plan: PhasePlan, steps: int, message: str = "") -> None:
        """``steps`` steps of this phase are done."""
        self._done = self._before[plan.name] + plan.units(steps)
        self.note(message)

    def gradients(self, plan: PhasePlan, step: int, gradients: int, message: str) -> None:
        """Before ``step``, ``gradients`` of the mask update are done."""
        self._done = self._before[plan.name] + plan.units(step) + gradients * SPARSE_STEP_COST
        self.note(message)

    def note(self, message: str) -> None:
        """Something else goes on; the work done stays what it was."""
        self._report(self._done, self._total, message)

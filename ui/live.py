"""A correction asked for on the page: what was asked, how, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparsecbm_core.errors import SparseCBMError
from ui.model_now import holding, model_now, net, remember
from ui.steps import Step, Steps

if TYPE_CHECKING:
    from sparsecbm_core.intervene.guard import GuardReport
    from sparsecbm_core.intervene.results import Intervention
    from sparsecbm_core.models.concept_model import ConceptModel
    from ui.guard import Guard

OVERRIDE = "override"
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Request:
    """``concept`` of a text is to be read as ``state``."""

    text: str
    concept: str
    state: str


@dataclass(frozen=True)
class Settings:
    """How to correct. ``rule`` may be "override": no correction, only the label's last step.

    ``r`` is a share of the prunable weights, None for the smallest that works. ``scope``: "everywhere", or
    "similar" for a correction that holds for reviews like the corrected one alone. ``protect``: earlier
    corrections of the session, and guard reviews near the boundary, have a say in which bits are flipped.
    ``most_broken`` is how many readings of guard reviews a correction may break before it asks first.
    """

    rule: str = "guarded"
    r: float | None = None
    scope: str = "everywhere"
    protect: bool = True
    most_broken: int = 5


@dataclass(frozen=True)
class Attempt:
    """What came of a request.

    ``problem`` says why it could not be made; otherwise ``done`` is what came of it. ``step`` is what can be
    taken over, and with ``asks`` only after a yes: it breaks more than the settings allow.
    """

    request: Request
    done: Intervention | None = None
    step: Step | None = None
    problem: str | None = None
    asks: bool = False


def perform(
    base: ConceptModel,
    steps: Steps,
    request: Request,
    settings: Settings,
    guard: Guard,
    on_progress: Progress = lambda share, message: None,
) -> Attempt:
    """Correct the model as it now is, and read the guard reviews again. Nothing is taken over here."""
    from sparsecbm_core.intervene.correct import AUTO, intervene
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.intervene.results import REACHED
    from sparsecbm_core.intervene.rules import rule_named
    from sparsecbm_core.intervene.scope import SIMILAR, Signature

    started = time.perf_counter()
    try:
        held = holding(steps, request.text)
        now = model_now(base, held)
        profile = None
        if rule_named(settings.rule).needs_profile:
            profile = guard.profile(base, on_progress)
        on_progress(0.1, "Finding the mask bits to flip…")
        r = AUTO if settings.r is None else settings.r
        protect = guard.protected(base, held, on_progress) if settings.protect and profile else None
        done = intervene(
            now, request.text, request.concept, request.state, settings.rule, r, profile, protect=protect
        )
        corrected, done = done.corrected, replace(done, corrected=base)
        if done.outcome != REACHED:
            return Attempt(request, done)
        remember(base, net(held) ^ done.edit, corrected)
        on_progress(0.6, "Reading the guard reviews again…")
        created = datetime.now(UTC).isoformat(timespec="seconds")
        signature = Signature.of(request.text) if settings.scope == SIMILAR else None
        step = Step(Patch.of(done, base, created, signature=signature), request.text, done)
        report = guard.report(base, steps, step, on_progress)
        if report is not None:
            step = replace(step, report=report, patch=replace(step.patch, guard=report.summary()))
        done = replace(done, seconds=time.perf_counter() - started)
        asks = report is not None and broken_readings(report) > settings.most_broken
        return Attempt(request, done, replace(step, done=done), asks=asks)
    except SparseCBMError as error:
        return Attempt(request, problem=str(error))


def broken_readings(report: GuardReport) -> int:
    """Concepts and labels of guard reviews that were right and no longer are."""
    return report.concept.broken + report.other_concepts.broken + report.label.broken

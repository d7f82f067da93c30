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
    from sparsecbm_core.intervene.scope import Signature
    from sparsecbm_core.models.concept_model import ConceptModel
    from ui.guard import Guard

OVERRIDE = "override"
NEEDED, ALWAYS, NEVER = "needed", "always", "never"
TOLERATED = 2
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
    "similar" for a correction that holds for reviews like the corrected one alone. ``care`` says when earlier
    corrections of the session, and guard reviews near the boundary, have a say in which bits are flipped,
    which takes seconds: "needed" is where more than `TOLERATED` readings would break otherwise.
    ``most_broken`` is how many may break before it asks first.
    """

    rule: str = "guarded"
    r: float | None = None
    scope: str = "everywhere"
    care: str = NEEDED
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
    on_first: Callable[[Attempt], None] = lambda attempt: None,
) -> Attempt:
    """Correct the model as it now is, and read the guard reviews again. Nothing is taken over here.

    Where a first way breaks more than it should, ``on_first`` gets what came of it, and a gentler one, which
    takes longer, is looked for; the one that breaks less is returned.
    """
    started = time.perf_counter()
    job = _Job(base, steps, request, settings, guard, on_progress)

    def timed(attempt: Attempt) -> Attempt:
        if attempt.step is None or attempt.done is None:
            return attempt
        done = replace(attempt.done, seconds=time.perf_counter() - started)
        asks = harm(attempt) > settings.most_broken
        return Attempt(request, done, replace(attempt.step, done=done), asks=asks)

    try:
        attempt = job.attempt(careful=settings.care == ALWAYS)
        if settings.care == NEEDED and job.can_care and harm(attempt) > TOLERATED:
            on_first(timed(attempt))
            on_progress(0.3, f"This way breaks {harm(attempt)} other readings. Looking for a gentler one…")
            again = job.attempt(careful=True)
            if again.step is not None and harm(again) < harm(attempt):
                attempt = again
    except SparseCBMError as error:
        return Attempt(request, problem=str(error))
    return timed(attempt)


@dataclass(frozen=True)
class _Job:
    """One correction, tried in one way or more."""

    base: ConceptModel
    steps: Steps
    request: Request
    settings: Settings
    guard: Guard
    on_progress: Progress

    @property
    def can_care(self) -> bool:
        """Only this way of choosing bits knows how to spare single readings."""
        settings = self.settings
        return settings.rule == "guarded" and settings.r is None and settings.scope == "everywhere"

    def attempt(self, careful: bool) -> Attempt:
        from sparsecbm_core.intervene.correct import AUTO, intervene
        from sparsecbm_core.intervene.patch import Patch
        from sparsecbm_core.intervene.results import REACHED
        from sparsecbm_core.intervene.rules import rule_named
        from sparsecbm_core.intervene.scope import SIMILAR, Signature

        base, request, settings = self.base, self.request, self.settings
        held = holding(self.steps, request.text)
        now, profile, protect = model_now(base, held), None, None
        if rule_named(settings.rule).needs_profile:
            profile = self.guard.profile(base, self.on_progress)
        if careful and self.can_care:
            protect = self.guard.protected(base, held, settings.care == ALWAYS, self.on_progress)
        self.on_progress(0.4 if careful else 0.1, "Finding the mask bits to flip…")
        r = AUTO if settings.r is None else settings.r
        done = intervene(
            now, request.text, request.concept, request.state, settings.rule, r, profile, protect=protect
        )
        corrected, done = done.corrected, replace(done, corrected=base)
        if done.outcome != REACHED:
            return Attempt(request, done)
        remember(base, net(held) ^ done.edit, corrected)
        self.on_progress(0.8 if careful else 0.6, "Reading the guard reviews again…")
        created = datetime.now(UTC).isoformat(timespec="seconds")
        signature = Signature.of(request.text) if settings.scope == SIMILAR else None
        patch = Patch.of(done, base, created, signature=signature)
        step = Step(
            patch,
            request.text,
            done,
            earlier=self._earlier(now, corrected, signature),
            before=tuple(step.edit for step in self.steps),
            guard=self.guard.data,
        )
        report = self.guard.report(base, self.steps, step, self.on_progress)
        if report is not None:
            step = replace(step, report=report, patch=replace(patch, guard=report.summary()))
        return Attempt(request, done, step)

    def _earlier(
        self, now: ConceptModel, corrected: ConceptModel, signature: Signature | None
    ) -> tuple[int, int]:
        """Corrections of the same concept that held until now, and how many of them still do."""
        from sparsecbm_core.intervene.guard import concept_logits

        concept = self.request.concept
        own = [
            step
            for step in self.steps
            if step.patch.concept == concept and step.text and step.text != self.request.text
        ]
        if not own or signature is not None:
            return len(own), len(own)
        texts = [step.text or "" for step in own]
        wanted = [now.space.state_index(step.patch.state) for step in own]
        before, after = (concept_logits(model, texts, concept).argmax(-1) for model in (now, corrected))
        right = [i for i, state in enumerate(wanted) if int(before[i]) == state]
        return len(right), sum(int(after[i]) == wanted[i] for i in right)


def harm(attempt: Attempt) -> int:
    """Readings of guard reviews that break, and earlier corrections that no longer hold."""
    step = attempt.step
    if step is None:
        return 0
    held, hold = step.earlier
    return held - hold + (0 if step.report is None else broken_readings(step.report))


def broken_readings(report: GuardReport) -> int:
    """Concepts and labels of guard reviews that were right and no longer are."""
    return report.concept.broken + report.other_concepts.broken + report.label.broken

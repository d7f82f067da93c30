"""One attempt at a correction: correct, look for a gentler way where it breaks too much, and report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparsecbm_core.progress import OnStage, unheard
from sparsecbm_core.session.corrected import holding, model_under, net, remember
from sparsecbm_core.session.correction import (
    ALWAYS,
    NEEDED,
    TOLERATED,
    Attempt,
    Correction,
    Corrections,
    Request,
    Settings,
)
from sparsecbm_core.session.guard import Guard

if TYPE_CHECKING:
    from sparsecbm_core.intervene.guard import GuardReport
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.intervene.results import Intervention
    from sparsecbm_core.models.concept_model import ConceptModel


def correct(
    base: ConceptModel,
    corrections: Corrections,
    request: Request,
    settings: Settings,
    guard: Guard,
    on_progress: OnStage = unheard,
    on_first: Callable[[Attempt], None] = lambda first: None,
) -> Attempt:
    """Correct ``base`` as it is under ``corrections``, and read the guard reviews again. Nothing is taken
    over here.

    Where a first way breaks more than `TOLERATED`, ``on_first`` gets what came of it, and gentler ones,
    which take longer, are looked for: first as sure of the corrected state, then only so far that it leads.
    The one that breaks least is returned. Raises what `intervene` raises.
    """
    started = time.perf_counter()
    way = _Way(base, corrections, request, settings, guard, on_progress)

    def timed(found: Attempt) -> Attempt:
        if found.correction is None:
            return found
        done = replace(found.intervention, seconds=time.perf_counter() - started)
        asks = found.harm > settings.most_broken
        return Attempt(request, done, replace(found.correction, intervention=done), asks=asks)

    found = way.go(careful=settings.care == ALWAYS)
    spares = settings.can_care and request.concept in base.space.concepts
    if settings.care == NEEDED and spares and found.harm > TOLERATED:
        on_first(timed(found))
        on_progress(0.3, f"This way breaks {found.harm} other readings. Looking for a gentler one…")
        for confidence in (settings.confidence, 0.0):
            gentler = way.go(careful=True, confidence=confidence)
            if gentler.correction is not None and gentler.harm < found.harm:
                found = gentler
            if found.harm <= TOLERATED or not settings.confidence:
                break
    return timed(found)


def patch_of(
    done: Intervention, base: ConceptModel, text: str, scope: str, report: GuardReport | None = None
) -> Patch:
    """An intervention as a patch of ``base``, made now; ``text`` is not in it, but tells similar reviews."""
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.intervene.scope import SIMILAR, Signature

    created = datetime.now(UTC).isoformat(timespec="seconds")
    signature = Signature.of(text) if scope == SIMILAR else None
    return Patch.of(done, base, created, report, signature=signature)


@dataclass(frozen=True)
class _Way:
    """A correction, to be made in one way or more."""

    base: ConceptModel
    corrections: Corrections
    request: Request
    settings: Settings
    guard: Guard
    on_progress: OnStage

    def go(self, careful: bool, confidence: float | None = None) -> Attempt:
        from sparsecbm_core.intervene.correct import AUTO, intervene
        from sparsecbm_core.intervene.results import REACHED
        from sparsecbm_core.intervene.rules import rule_named
        from sparsecbm_core.intervene.variants import read_variants

        base, request, settings, caches = self.base, self.request, self.settings, self.guard.caches
        held = holding(self.corrections, request.text)
        now, profile, protect = model_under(base, held, caches), None, None
        if rule_named(settings.rule).needs_profile:
            profile = self.guard.profile(base, self.on_progress)
        if careful and settings.can_care and request.concept in base.space.concepts:
            protect = self.guard.protected(base, held, settings.care == ALWAYS, self.on_progress)
        self.on_progress(0.4 if careful else 0.1, "Finding the mask bits to flip…")
        done = intervene(
            now,
            request.text,
            request.concept,
            request.state,
            settings.rule,
            AUTO if settings.r is None else settings.r,
            profile,
            settings.seed,
            protect=protect,
            confidence=settings.confidence if confidence is None else confidence,
        )
        corrected, done = done.corrected, replace(done, corrected=base)
        if done.outcome != REACHED:
            return Attempt(request, done)
        if request.concept in base.space.concepts:
            done = replace(done, variants=read_variants(now, corrected, request.text, request.concept))
        remember(base, net(held) ^ done.edit, corrected, caches)
        self.on_progress(0.8 if careful else 0.6, "Reading the guard reviews again…")
        made = Correction(
            patch_of(done, base, request.text, settings.scope),
            request.text,
            done,
            earlier=self._earlier(now, corrected),
            before=tuple(item.fingerprint for item in self.corrections),
            guard=self.guard.data,
        )
        report = self.guard.report(base, self.corrections, made, self.on_progress)
        if report is not None:
            made = replace(made, report=report, patch=replace(made.patch, guard=report.summary()))
        return Attempt(request, done, made)

    def _earlier(self, now: ConceptModel, corrected: ConceptModel) -> tuple[int, int]:
        """Corrections of the same concept that held until now, and how many of them still do."""
        from sparsecbm_core.intervene.reading import concept_logits

        concept = self.request.concept
        own = [
            item
            for item in self.corrections
            if item.patch.concept == concept and item.text and item.text != self.request.text
        ]
        if not own or self.settings.scope == "similar" or concept not in now.space.concepts:
            return len(own), len(own)
        texts = [item.text or "" for item in own]
        wanted = [now.space.state_index(item.patch.state) for item in own]
        before, after = (concept_logits(model, texts, concept).argmax(-1) for model in (now, corrected))
        right = [i for i, state in enumerate(wanted) if int(before[i]) == state]
        return len(right), sum(int(after[i]) == wanted[i] for i in right)

"""What a screen reader is told of corrections, each thing once: what is begun, and what came of it."""

from __future__ import annotations

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.session.correction import Request
from ui.correct import corrected, side_effects, undone
from ui.state import AppState
from ui.text import answer_title


def begun(request: Request, space: ConceptSpace) -> str:
    wanted = answer_title(space, request.concept, request.state)
    return f"Correcting {space.title(request.concept)} to {wanted}…"


def done(state: AppState, space: ConceptSpace) -> str:
    """The verdict of the last thing that was done here, with its side effects; empty where it is of another
    review, or old."""
    if state.work.attempt is not None:
        return corrected.attempt_verdict(state.work.attempt, space)
    if state.work.step is not None:
        return f"{undone.verdict(state.work.step, space)} {undone.in_use(state, space)}"
    correction = corrected.in_force(state)
    if correction is None or correction.intervention is None or correction.text != state.work.text:
        return ""
    if correction.kept is not None:
        return f"Kept as correction {correction.kept}."
    verdict = corrected.verdict(correction.intervention, space)
    report = correction.report
    return verdict if report is None else f"{verdict} {side_effects.verdict(report, space)}"

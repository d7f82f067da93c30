"""Corrections on the Explain page: of the model itself, or of what it said, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from ui.correct import corrected, override, states
from ui.resources import explanations
from ui.resources.models import ModelCard
from ui.resources.session import guard_of
from ui.state import AppState
from ui.widgets import sentence
from ui.work import OVERRIDE

if TYPE_CHECKING:
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.models.concept_model import ConceptModel


def show(
    state: AppState,
    card: ModelCard,
    base: ConceptModel,
    model: ConceptModel,
    explanation: Explanation,
    space: ConceptSpace,
    result: OracleResult | None,
) -> None:
    """States to choose from, and what choosing one did. ``base`` is the model as it was loaded, ``model`` as
    it is now, ``result`` what was set by hand."""
    guard = guard_of(card, state.work.guard_reviews)
    if not _only_by_hand(state, model):
        states.show(state, base, guard, explanation, space)
        return
    override.show(state, explanation, space, result)
    if model.masks is not None:
        states.how_to(state, base, guard, space)


def _only_by_hand(state: AppState, model: ConceptModel) -> bool:
    return model.masks is None or state.work.settings.rule == OVERRIDE


def by_hand(state: AppState, model: ConceptModel | None, explanation: Explanation) -> OracleResult | None:
    """The label with the concepts that were set by hand, where that is how things are corrected."""
    if model is None or not state.work.overrides or not _only_by_hand(state, model):
        return None
    return explanations.override(model, explanation, state.work.overrides)


def reported(
    state: AppState,
    model: ConceptModel | None,
    explanation: Explanation,
    space: ConceptSpace,
    result: OracleResult | None,
) -> Callable[[], list[str]]:
    """Makes what a report says of corrections: what was set by hand, and the correction by which the model
    reads this very review as it does."""
    correction = corrected.in_force(state)
    if correction is not None and correction.text != explanation.text:
        correction = None
    if model is not None and _only_by_hand(state, model):
        correction = None

    def parts() -> list[str]:
        from ui.correct.report import by_hand_html, corrected_html

        by_hand = [] if result is None else by_hand_html(result, explanation, space)
        return by_hand if correction is None else [*by_hand, *corrected_html(correction, space)]

    return parts


def spoken(
    state: AppState, explanation: Explanation, space: ConceptSpace, result: OracleResult | None
) -> str:
    """What a screen reader says: the answer, and what was just done to it."""
    said = sentence.plain(sentence.answer(explanation, space))
    if caution := sentence.unlike(explanation, space):
        said = f"{caution} {said}"
    correction = corrected.in_force(state)
    if result is not None:
        return f"{said} With your change: {override.verdict(result, space)}"
    if state.work.attempt is not None:
        return f"{said} {corrected.attempt_verdict(state.work.attempt, space)}"
    if correction is not None and correction.intervention is not None and correction.text == explanation.text:
        return f"{said} {corrected.verdict(correction.intervention, space)}"
    return said

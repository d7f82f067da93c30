"""Corrections on the Explain page: of the model itself, or of what it said, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.session.corrected import holding
from ui.correct import corrected, override, side_effects, states
from ui.resources import explanations
from ui.resources.models import ModelCard
from ui.resources.session import guard_of
from ui.state import AppState
from ui.widgets import jump, sentence
from ui.work import OVERRIDE

if TYPE_CHECKING:
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.models.concept_model import ConceptModel

PLACE = "correction"  # the key of the part of the page that corrects


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


def asking(
    state: AppState, model: ConceptModel | None, explanation: Explanation
) -> Callable[[str, str], None] | None:
    """What a state does that is chosen in the picture: ask for a correction, or set it by hand. None for an
    explanation that cannot be corrected."""
    if model is None:
        return None
    if _only_by_hand(state, model):
        return state.on(state.work.override)

    def ask(concept: str, wanted: str) -> None:
        states.choose(state, explanation.concepts[concept].state, concept, wanted)

    return state.on(ask)


def lead_to(label: str, concept: str, key: str) -> None:
    """A button that leads to the correction, and to the states of the concept that is looked at."""
    jump.button(label, PLACE, f"states-{concept}", key)


def by_hand(state: AppState, model: ConceptModel | None, explanation: Explanation) -> OracleResult | None:
    """The label with the concepts that were set by hand, where that is how things are corrected."""
    if model is None or not state.work.overrides or not _only_by_hand(state, model):
        return None
    return explanations.override(model, explanation, state.work.overrides)


def reported(
    state: AppState,
    card: ModelCard,
    model: ConceptModel | None,
    explanation: Explanation,
    space: ConceptSpace,
    result: OracleResult | None,
) -> Callable[[], list[str]]:
    """Makes what a report says of corrections: what was set by hand, all that the model has, and the one by
    which it reads this very review as it does."""
    in_use = () if model is None else holding(state.work.corrections, explanation.text)
    correction = corrected.in_force(state)
    if correction is not None and correction.text != explanation.text:
        correction = None
    if model is not None and _only_by_hand(state, model):
        correction = None

    def parts() -> list[str]:
        from ui.correct.report import by_hand_html, corrected_html, in_use_html

        found = [] if result is None else by_hand_html(result, explanation, space)
        if correction is not None:
            reviews = guard_of(card, state.work.guard_reviews).reviews
            texts = side_effects.texts_of(correction, reviews)
            found += corrected_html(correction, space, texts)
        return found + (in_use_html(in_use, space) if in_use else [])

    return parts


def spoken(explanation: Explanation, space: ConceptSpace, result: OracleResult | None) -> str:
    """What a screen reader says of the answer, and of what was set by hand; corrections say theirs where they
    are made."""
    said = sentence.plain(sentence.answer(explanation, space))
    if caution := sentence.unlike(explanation, space):
        said = f"{caution} {said}"
    return said if result is None else f"{said} With your change: {override.verdict(result, space)}"

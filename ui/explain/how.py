"""How it got there: words, subnetworks and concepts, and the sum that makes the label."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.explain.tokens.registry import METHODS
from sparsecbm_core.figures import contribution_figure
from sparsecbm_core.figures.contributions import ANSWER_SIDES
from ui.resources.subnetworks import TILE_CELLS, images_of, stats_of
from ui.state import AppState
from ui.widgets import layout, sums
from ui.widgets.charts import chart
from ui.widgets.choice import concept_choice
from ui.widgets.glossary import method_help, terms_html
from ui.widgets.pathway import UNSCORED, WAITING, pathway, pathway_data
from ui.widgets.review_text import has_sign
from ui.widgets.words import coloured_review, probabilities, word_table

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

CONCEPT, METHOD, VIEW, AGAINST = "concept_choice", "method_choice", "view_choice", "against_choice"
LEAD = "Each concept reads the review through a subnetwork of its own. What they find makes the answer."


def show(
    state: AppState,
    model: ConceptModel | None,
    explanation: Explanation,
    space: ConceptSpace,
    concept: str,
    on_correct: Callable[[str, str], None] | None,
) -> DeltaGenerator:
    """The way from words to label; without the ``model`` that made the explanation, all but the subnetworks.
    ``on_correct`` gets a concept and the state that it should be in.

    Returns the place where the progress of what is missing can be shown.
    """
    layout.section("How it got there", LEAD)
    with st.expander("In plain words", type="compact"):
        st.html(terms_html(space))
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        concept_choice(state, CONCEPT, space, concept)
        st.session_state[METHOD] = state.method
        st.selectbox(
            "Find the words by",
            list(METHODS),
            format_func=lambda name: METHODS[name].title,
            key=METHOD,
            on_change=state.on_value(METHOD, state.choose_method),
            help=method_help(),
            width=240,
            filter_mode=None,
        )
    signed = has_sign(explanation.method)
    unscored = WAITING if state.work.saved is None else UNSCORED
    place = coloured_review(explanation, concept, space, signed, unscored)
    data = pathway_data(
        explanation,
        space,
        concept,
        signed,
        None if model is None else stats_of(model),
        {} if model is None else images_of(model, TILE_CELLS),
        without="" if model is None else "the whole encoder",
        unscored=unscored,
    )
    pathway(data, state.on(state.work.choose_concept), on_correct)
    hidden = space.num_concepts - len(sums.at_first_sight(explanation, space, concept))
    if hidden:
        layout.caption(
            f"The {space.num_concepts - hidden} concepts that move the answer most are shown. The other "
            f"{hidden} are in the list above: whichever is chosen there is shown as well."
        )
    layout.caption(_signs(explanation, concept, space, signed))
    with st.container():  # there even while no words are scored, so that what follows keeps its place
        word_table(explanation, concept, space)
    probabilities(explanation, space)
    _sum(state, explanation, concept, space)
    return place


def _signs(explanation: Explanation, concept: str, space: ConceptSpace, signed: bool) -> str:
    """What the colours and signs of the picture mean."""
    item = explanation.concepts[concept]
    words = ""
    if item.tokens and item.state != UNKNOWN:
        state, title = space.title(item.state), space.title(concept)
        words = (
            f"Words: + speaks for {title} being {state}, − against it. "
            if signed
            else f"Words: the higher, the more they move whether {title} is {state}. "
        )
    if explanation.expected is not None:
        return (
            f"{words}Lines to the label: green and + lift the answer, dashed amber and − cost. Thicker lines "
            "count more."
        )
    label = space.label_title(explanation.label)
    return (
        f"{words}Lines to the label: blue and + speak for {label}, dashed red and − against it. Thicker "
        "lines count more."
    )


def _sum(state: AppState, explanation: Explanation, concept: str, space: ConceptSpace) -> None:
    label = space.label_title(explanation.label)
    others = [name for name in space.labels if name != explanation.label]
    against = state.work.against if state.work.against in others else None
    versus = "" if against is None else space.label_title(against)
    layout.section(f"Why {label}" + (f" and not {versus}" if versus else ""))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.session_state[AGAINST] = against
        st.selectbox(
            "Compare with",
            others,
            index=None,
            format_func=space.label_title,
            placeholder="another label",
            key=AGAINST,
            on_change=state.on_value(AGAINST, state.work.compare_with),
            width=260,
            filter_mode=None,
        )
        titles = sums.titles(explanation, space, against)
        st.session_state[VIEW] = sums.chosen(state.view, titles)
        st.segmented_control(
            "Shown as",
            list(titles),
            format_func=titles.__getitem__,
            key=VIEW,
            required=True,
            wrap=True,
            on_change=state.on_value(VIEW, state.choose_view),
            help=sums.HELP,
        )
    view = sums.shown(explanation, space, state.view, against)
    layout.caption(sums.caption(view, label if against is None else f"{label} rather than {versus}"))
    chart(
        contribution_figure(view, concept),
        view.rows(),
        "contributions",
        "How the answer adds up" if view.sides == ANSWER_SIDES else "How the score adds up",
        "The exact numbers",
    )

"""How it got there: words, subnetworks and concepts, and the sum that makes the label."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.explain.tokens.registry import METHODS
from sparsecbm_core.figures import breakdown, contribution_figure
from ui.frame import rerun
from ui.resources import loader, memory
from ui.state import AppState
from ui.widgets import parts
from ui.widgets.exports import pathway_rows
from ui.widgets.glossary import method_help, terms_html
from ui.widgets.pathway import UNSCORED, WAITING, pathway, pathway_data
from ui.widgets.review_text import has_sign, legend_html, review_html, unread

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

CONCEPT, METHOD, RELATIVE, AGAINST = "concept_choice", "method_choice", "relative_choice", "against_choice"
VIEWS = {True: "An average review", False: "Zero"}
LEAD = (
    "Each concept reads the review through a subnetwork of its own. Together they give every label a score."
)


def show(
    state: AppState, model: ConceptModel | None, explanation: Explanation, space: ConceptSpace, concept: str
) -> DeltaGenerator:
    """The way from words to label; without the ``model`` that made the explanation, all but the subnetworks.

    Returns the place where the progress of what is missing can be shown.
    """
    parts.section("How it got there", LEAD)
    with st.expander("In plain words", type="compact"):
        st.html(terms_html(space))
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        parts.concept_choice(CONCEPT, space, concept, state.choose_concept)
        st.session_state[METHOD] = state.method
        st.selectbox(
            "Find the words by",
            list(METHODS),
            format_func=lambda name: METHODS[name].title,
            key=METHOD,
            on_change=parts.take_over,
            args=(METHOD, state.choose_method),
            help=method_help(),
            width=240,
            filter_mode=None,
        )
    signed = has_sign(explanation.method)
    unscored = WAITING if state.saved is None else UNSCORED
    place = words(explanation, concept, space, signed, unscored)
    data = pathway_data(
        explanation,
        space,
        concept,
        signed,
        None if model is None else loader.stats(model),
        {} if model is None else loader.images(model, loader.TILE_CELLS),
        without="" if model is None else "the whole encoder",
        unscored=unscored,
    )
    pathway(data, state.choose_concept)
    parts.caption(_signs(explanation, concept, space, signed))
    with st.container():  # there even while no words are scored, so that what follows keeps its place
        word_table(explanation, concept, space)
    probabilities(explanation, space)
    _sum(state, explanation, concept, space)
    return place


def find_words(place: DeltaGenerator, model: ConceptModel, state: AppState, concept: str) -> None:
    """Score the words of a concept, with the progress in ``place``; then draw the page with them."""
    bar = place.progress(0.0, WAITING)

    def show_progress(share: float) -> None:
        bar.progress(share, WAITING)

    loader.read_words(model, state.text, state.method, show_progress, concept)
    memory.give_back()
    rerun.page()


def words(
    explanation: Explanation, concept: str, space: ConceptSpace, signed: bool, unscored: str
) -> DeltaGenerator:
    """The review with the words that matter for a concept; returns the place of its legend."""
    item = explanation.concepts[concept]
    place, grey = st.empty(), unread(explanation.text, explanation.truncated)
    st.html(review_html(explanation, concept, signed))
    rest = f'<p class="sc-legend"><span>{grey}</span></p>' if grey else ""
    if not item.tokens:
        place.html(f'<p class="sc-legend">{unscored}</p>{rest}')
    elif item.state == UNKNOWN:
        note = (
            f"{space.title(concept)} is not mentioned. Scores of single words say little then, so none is "
            "coloured; they are in the table."
        )
        place.html(f'<p class="sc-note">{escape(note)}</p>{rest}')
    else:
        place.html(legend_html(space.title(item.state), signed, grey))
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
    label = space.label_title(explanation.label)
    return (
        f"{words}Concepts: blue and + speak for {label}, dashed red and − against it. Thicker lines count "
        "more."
    )


def word_table(explanation: Explanation, concept: str, space: ConceptSpace) -> None:
    """The score of every word for a concept; nothing where none is scored."""
    tokens = explanation.concepts[concept].tokens
    rows = [
        {"word": token.text, "score": token.score, "from": token.start, "to": token.end} for token in tokens
    ]
    if rows:
        origin = {
            "concept": concept,
            "state": explanation.concepts[concept].state,
            "method": explanation.method,
            "model": explanation.model,
            "fingerprint": explanation.fingerprint,
        }
        parts.table(
            rows,
            f"words-{concept}",
            f"The score of every word for {space.title(concept)}",
            "The score of every word",
            file_rows=[{**row, **origin} for row in rows],
        )


def probabilities(explanation: Explanation, space: ConceptSpace, name: str = "pathway") -> None:
    """A table of how likely every state of every concept and every label is."""
    rows = pathway_rows(explanation, space)
    shown = [
        {
            "of": "Label" if row["part"] == "label" else space.title(row["name"]),
            "state": (space.label_title if row["part"] == "label" else space.title)(row["value"]),
            "probability": row["probability"],
        }
        for row in rows
    ]
    parts.table(
        shown,
        name,
        "Probabilities of all states and labels",
        "The probabilities of all states and labels",
        percents=["probability"],
        file_rows=rows,
    )


def _sum(state: AppState, explanation: Explanation, concept: str, space: ConceptSpace) -> None:
    label = space.label_title(explanation.label)
    others = [name for name in space.labels if name != explanation.label]
    against = state.against if state.against in others else None
    parts.section(f"Why {label}" + ("" if against is None else f" and not {space.label_title(against)}"))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.session_state[AGAINST] = against
        st.selectbox(
            "Compare with",
            others,
            index=None,
            format_func=space.label_title,
            placeholder="another label",
            key=AGAINST,
            on_change=parts.take_over,
            args=(AGAINST, state.compare_with),
            width=260,
            filter_mode=None,
        )
        st.session_state[RELATIVE] = state.relative
        st.segmented_control(
            "Measured against",
            list(VIEWS),
            format_func=VIEWS.__getitem__,
            key=RELATIVE,
            required=True,
            wrap=True,
            on_change=parts.take_over,
            args=(RELATIVE, state.choose_view),
            help="An average review: what this review's concepts change compared with the average of "
            "the training data. Zero: the raw terms of the sum, where even a concept that is not "
            "mentioned counts.",
        )
    view = breakdown(explanation, space, against=against, relative=state.relative)
    target = label if against is None else f"{label} rather than {space.label_title(against)}"
    parts.caption(
        f"{view.base_title} {view.base_text}, then one step for each concept, up to {view.total_text}. "
        f"A step to the right speaks for {target}, a hatched step to the left against it."
    )
    parts.chart(
        contribution_figure(view, concept),
        view.rows(),
        "contributions",
        "How the score adds up",
        "The exact numbers",
    )

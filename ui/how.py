"""How it got there: words, subnetworks and concepts, and the sum that makes the label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.explain.tokens.registry import METHODS
from sparsecbm_core.figures import breakdown, contribution_figure, signed
from ui import loader, parts
from ui.pathway import pathway, pathway_data
from ui.review import is_cut, legend_html, review_html
from ui.state import AppState

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

CONCEPT, METHOD, RELATIVE, AGAINST = "concept_choice", "method_choice", "relative_choice", "against_choice"
VIEWS = {True: "An average review", False: "Zero"}
PATHWAY_HELP = (
    "Each concept reads the review through its own subnetwork: the part of the encoder's weights that was "
    "kept for it. Masks cover the linear weights of the encoder's layers; embeddings, LayerNorms and biases "
    "are dense and shared by all concepts. Darker patches of a tile keep more weights."
)


def selected_concept(state: AppState, explanation: Explanation, space: ConceptSpace) -> str:
    """The chosen concept, or else the one that moves the label most, of those that are mentioned."""
    if state.concept in space.concepts:
        return str(state.concept)
    names = [part.name for part in breakdown(explanation, space).parts]
    return next((name for name in names if explanation.concepts[name].state != UNKNOWN), names[0])


def show(state: AppState, model: ConceptModel, explanation: Explanation) -> None:
    space = model.space
    concept = selected_concept(state, explanation, space)
    parts.section("How it got there", help=PATHWAY_HELP)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.session_state[CONCEPT] = concept
        st.segmented_control(
            "Concept",
            space.concepts,
            format_func=space.title,
            key=CONCEPT,
            required=True,
            wrap=True,
            on_change=_take,
            args=(state, "concept", CONCEPT),
        )
        st.session_state[METHOD] = state.method
        st.selectbox(
            "Words weighed by",
            list(METHODS),
            format_func=lambda name: METHODS[name].title,
            key=METHOD,
            on_change=_take,
            args=(state, "method", METHOD),
            help="\n\n".join(f"**{method.title}**: {method.description}." for method in METHODS.values()),
            width=240,
            filter_mode=None,
        )
    _words(state, explanation, concept, space)
    stats = loader.stats(model)
    images = {name: loader.image(model, name, loader.TILE_CELLS) for name in space.concepts}
    data = pathway_data(
        explanation,
        space,
        concept,
        METHODS[state.method].signed,
        stats,
        {name: image for name, image in images.items() if image is not None},
    )
    pathway(data, lambda name: state.choose("concept", name))
    _word_table(explanation, concept)
    _sum(state, explanation, concept, space)


def _take(state: AppState, name: str, key: str) -> None:
    state.choose(name, st.session_state[key])


def _words(state: AppState, explanation: Explanation, concept: str, space: ConceptSpace) -> None:
    item, signed_words = explanation.concepts[concept], METHODS[state.method].signed
    st.html(review_html(explanation, concept, signed_words))
    if explanation.method is None:
        st.html('<p class="legend" role="status">Weighing the words…</p>')
    elif item.state == UNKNOWN:
        parts.caption(
            f"The model finds that the review does not mention {space.title(concept)}. Scores of single "
            "words say little then, so none is coloured; they are in the table."
        )
    else:
        st.html(legend_html(space.title(item.state), signed_words, is_cut(explanation)))


def _word_table(explanation: Explanation, concept: str) -> None:
    rows = [
        {"word": token.text, "score": token.score, "from": token.start, "to": token.end}
        for token in explanation.concepts[concept].tokens
    ]
    if rows:
        parts.table(rows, f"words-{concept}", "The score of every word")


def _sum(state: AppState, explanation: Explanation, concept: str, space: ConceptSpace) -> None:
    label = space.title(explanation.label)
    others = [name for name in space.labels if name != explanation.label]
    if state.against not in others:
        state.against = None
    parts.section(f"Why {label}" + (f" and not {space.title(state.against)}" if state.against else ""))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.session_state[AGAINST] = state.against
        st.selectbox(
            "And not",
            others,
            index=None,
            format_func=space.title,
            placeholder="compare with another label",
            key=AGAINST,
            on_change=_take,
            args=(state, "against", AGAINST),
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
            on_change=_take,
            args=(state, "relative", RELATIVE),
            help="An average review: what this review's concepts change compared with the average of "
            "the training data. Zero: the raw terms of the sum, where even a concept that is not "
            "mentioned counts.",
        )
    view = breakdown(explanation, space, against=state.against, relative=state.relative)
    parts.caption(
        f"{view.base_title} {signed(view.base)}, then one step for each concept, up to {signed(view.total)}. "
        "A step to the right speaks for the label, a hatched step to the left against it. "
        "Numbers are rounded, the table has them in full."
    )
    parts.chart(contribution_figure(view, concept), view.rows(), "contributions", "How the score adds up")

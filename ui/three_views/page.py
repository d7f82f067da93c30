"""The Three views page: attention, concept bottleneck and sparse pathway of one review, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.errors import InputError, SparseCBMError
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import percent
from sparsecbm_core.session.corrected import holding
from ui.frame import announce, loading, model_in_use, pages
from ui.resources import explanations
from ui.resources.models import ModelCard
from ui.resources.session import model_now
from ui.state import AppState
from ui.text import plain
from ui.three_views import attention, companion, concepts, data, removal, views
from ui.widgets import layout
from ui.widgets.choice import concept_choice
from ui.widgets.download import JSON, download
from ui.widgets.exports import json_text
from ui.widgets.glossary import terms_html
from ui.widgets.words import find_words

if TYPE_CHECKING:
    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.evaluate.word_removal import WordRemoval
    from sparsecbm_core.explain.attention import Attention
    from sparsecbm_core.models.concept_model import ConceptModel

CONCEPT = "view_concept"
SCHEMA_VERSION = 1
LEAD = (
    "One review, looked at in three ways. Each can tell something that the others cannot, and none of them "
    "everything."
)
EMPTY = "There is no review yet. Write, paste or choose one on the Explain page."
FROM_FILE = (
    "The Explain page shows an explanation from a file. Here the model that is loaded reads the same text."
)


def show(state: AppState, card: ModelCard) -> None:
    layout.lead(LEAD)
    in_use = st.empty()
    said = st.container(key="said")
    if not state.work.text.strip():
        hint(EMPTY, said)
        return
    base = loading.load(card)
    try:
        _views(state, card, base, in_use, said)
    except SparseCBMError as error:
        st.error(plain(f"The three views cannot be shown: {error}"))


def _views(
    state: AppState, card: ModelCard, base: ConceptModel, in_use: DeltaGenerator, said: DeltaGenerator
) -> None:
    """``base`` is the model as loaded; ``in_use`` says what it is corrected by, ``said`` is read out."""
    held = holding(state.work.corrections, state.work.text)
    model = model_now(base, held)
    model_in_use.show(in_use, state.work.corrections, held)
    with st.spinner("Loading the dense model…"):
        beside = companion.beside(card, base)
    space, dense = model.space, beside.model
    try:
        known = explanations.known_words(model, state.work.text, state.method, whole=False)
        explanation = known or explanations.read(model, state.work.text)
        plain_view = None if dense is None else explanations.read(dense, state.work.text)
        looks = None if dense is None else data.attention(dense, state.work.text)
    except InputError as error:
        hint(f"This text cannot be explained: {error}.", said)
        return
    concept = state.work.selected(explanation, space)
    with said:
        announce.say(_spoken(explanation, plain_view, space))
    _choices(state, space, concept)
    _notes(state, beside, explanation, plain_view, space, model is not base)

    with st.container(key="three_views"):
        first, second, third = st.columns(3, gap="medium")
        with first, _card(views.ATTENTION):
            with st.container():
                attention.show(state, space, beside, plain_view, looks)
            views.tells(views.ATTENTION)
        with second, _card(views.BOTTLENECK):
            with st.container():
                concepts.bottleneck(state, space, beside, plain_view, concept)
            views.tells(views.BOTTLENECK)
        with third, _card(views.PATHWAY):
            with st.container():
                place = concepts.pathway(state, model, explanation, concept)
            views.tells(views.PATHWAY)

    layer = data.ALL_LAYERS if looks is None else attention.chosen_layer(state, looks)
    test = st.container()
    waits = place is not None and not explanation.concepts[concept].tokens
    with test:
        found = removal.show(model, explanation, looks, concept, layer, model is not base)
    _download(explanation, plain_view, looks, found, waits)
    if waits and place is not None:
        find_words(place, model, state, concept)


def hint(text: str, said: DeltaGenerator) -> None:
    """Nothing to look at: say why, and where a review comes from."""
    layout.hint(text)
    st.page_link(pages.EXPLAIN, label="To the Explain page", icon=":material/arrow_forward:")
    with said:
        announce.say(text)


def _card(view: views.View) -> DeltaGenerator:
    """Equally high, with what a view can and cannot tell at the bottom."""
    return st.container(
        border=True, height="stretch", vertical_alignment="distribute", key=f"view_{view.name}"
    )


def _choices(state: AppState, space: ConceptSpace, concept: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        concept_choice(state, CONCEPT, space, concept)
        st.page_link(pages.EXPLAIN, label="Choose another review", icon=":material/edit:")
    with st.expander("In plain words", type="compact"):
        st.html(terms_html(space, views.TERMS))


def _notes(
    state: AppState,
    beside: companion.Companion,
    explanation: Explanation,
    plain_view: Explanation | None,
    space: ConceptSpace,
    corrected: bool,
) -> None:
    """What a reader has to know before comparing, a line each."""
    lines: list[str | None] = []
    if state.work.saved is not None:
        lines.append(FROM_FILE)
    if plain_view is not None and plain_view.fingerprint != explanation.fingerprint:
        lines.append(concepts.differences(plain_view, explanation, space))
        if corrected:
            lines.append("The corrections of this session are in the sparse model alone.")
    lines.append(beside.note)
    for line in filter(None, lines):
        layout.caption(line)


def _spoken(explanation: Explanation, plain_view: Explanation | None, space: ConceptSpace) -> str:
    """What a screen reader says."""

    def label(found: Explanation) -> str:
        return f"{space.label_title(found.label)}, {percent(found.probabilities[found.label])}"

    if plain_view is None or plain_view.fingerprint == explanation.fingerprint:
        return f"Three views. The model says {label(explanation)}."
    return f"Three views. The dense model says {label(plain_view)}, the sparse one {label(explanation)}."


def _download(
    explanation: Explanation,
    plain_view: Explanation | None,
    looks: Attention | None,
    found: WordRemoval | None,
    waits: bool,
) -> None:
    def data() -> dict[str, Any]:
        parts_of_it = {"attention": looks, "bottleneck": plain_view, "pathway": explanation, "test": found}
        return {
            "schema_version": SCHEMA_VERSION,
            **{name: None if part is None else part.to_dict() for name, part in parts_of_it.items()},
        }

    st.space("small")
    download("All of it (JSON)", lambda: json_text(data()), "three-views.json", JSON, waiting=waits)

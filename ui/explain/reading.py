"""What the Explain page is about: a review, the model that reads it, and what it makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.session.corrected import holding
from sparsecbm_core.session.correction import Corrections
from ui.explain import review_form, saved
from ui.frame import announce, loading, model_in_use
from ui.resources import explanations, guard_reviews, models
from ui.resources.examples import examples_for
from ui.resources.models import ModelCard
from ui.resources.session import model_now
from ui.state import AppState
from ui.text import counted
from ui.widgets import layout

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel


@dataclass(frozen=True)
class Top:
    """The places above the sections: to ``skip`` them, for the model that is ``in_use``, an ``offer`` of kept
    corrections, what is ``said`` to a screen reader, the answer's ``box`` and the ``count`` of words."""

    skip: DeltaGenerator
    in_use: DeltaGenerator
    offer: DeltaGenerator
    said: DeltaGenerator
    box: DeltaGenerator
    count: DeltaGenerator


@dataclass(frozen=True)
class Reading:
    """What the model ``loaded``, ``base`` under the corrections that hold for the text, makes of the text.

    ``explanation`` may be another model's, where it comes from a file: there is nothing to correct then and
    no subnetwork, and ``model`` is None. ``title`` names the model that made it, ``origin`` says where an
    explanation from a file is from, and ``missing`` are concepts whose words are still to be scored.
    """

    base: ConceptModel
    loaded: ConceptModel
    model: ConceptModel | None
    explanation: Explanation
    space: ConceptSpace
    concept: str
    title: str
    origin: str | None
    missing: tuple[str, ...]


def top(state: AppState, card: ModelCard) -> Top:
    """The review's form and the places around it."""
    skip = st.container(key="skip")
    in_use = st.empty()
    offer = st.empty()
    said = st.container(key="said")
    left, right = st.columns([1.05, 1], gap="medium")
    with left:
        count = review_form.show(
            state, examples_for(card.space.concepts), guard_reviews.known_texts(card.space)
        )
    with right:
        box = st.container(border=True, height="stretch", key="answer")
    return Top(skip, in_use, offer, said, box, count)


def read(state: AppState, card: ModelCard, places: Top) -> Reading:
    """Ends the run where there is nothing to explain."""
    if not state.work.text.strip():
        _stop(state, places, "Write or paste a review, or choose an example, and press Explain.")
    with places.box, st.spinner("Loading the model…"):
        try:
            base = models.model(card)
            held = holding(state.work.corrections, state.work.text)
            loaded = model_now(base, held)
        except SparseCBMError as error:
            loading.cannot_load(error)
        known = state.work.saved or explanations.known_words(
            loaded, state.work.text, state.method, whole=False
        )
        try:
            explanation = known or explanations.read(loaded, state.work.text)
        except SparseCBMError as error:
            _stop(state, places, f"This text cannot be explained: {error}.")
    model_in_use.show(places.in_use, state.work.corrections, held)
    space = loaded.space if state.work.saved is None else saved.space_of(state.work.saved, loaded.space)
    own = space is loaded.space and explanation.fingerprint == loaded.fingerprint
    return Reading(
        base,
        loaded,
        loaded if own else None,
        explanation,
        space,
        state.work.selected(explanation, space),
        _made_by(card, held) if own else explanation.model,
        None if state.work.saved is None else saved.origin(explanation, loaded.fingerprint),
        () if state.work.saved else explanation.unscored,
    )


def _made_by(card: ModelCard, held: Corrections) -> str:
    """The model in words; a corrected one says so wherever its name stands."""
    return f"{card.title} with {counted(len(held), 'correction')}" if held else card.title


def _stop(state: AppState, places: Top, text: str) -> NoReturn:
    """Nothing to explain: say why, and leave the rest of the page away."""
    with places.box:
        layout.hint(text)
    with places.said:
        announce.say(text)
    saved.show_upload(state)
    st.stop()

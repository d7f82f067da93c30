"""The Masks page: what to look at, and then from all layers down to the single weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.session.corrected import holding
from ui.frame import link, loading
from ui.masks import matrix, overlap, overview
from ui.state import AppState
from ui.text import plain
from ui.widgets import layout
from ui.widgets.choice import concept_choice
from ui.widgets.mask_view import (
    CORRECTED,
    DIFFERENCE,
    LOADED,
    PAIR,
    chosen_concept,
    corrected_now,
    differs,
    kinds,
    view_now,
)

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel
    from ui.resources.models import ModelCard

VIEWS = {
    DIFFERENCE: "What corrections changed",
    LOADED: "As loaded",
    CORRECTED: "As corrected",
    PAIR: "Two concepts",
}
CONCEPT, VIEW, SECOND = "mask_concept", "mask_view", "mask_second"
LEAD = (
    "Each concept reads a review with some of the encoder's weights and does without the others. Here is "
    "with which, from whole layers down to the single weight."
)
DENSE = "This is a dense model: every concept reads with all weights of the encoder, so there are no masks."
NOTHING_YET = (
    "Nothing is corrected in this session. What corrections on the Explain page change appears here."
)


def show(state: AppState, card: ModelCard) -> None:
    base = loading.load(card)
    try:
        _masks(state, base)
    except SparseCBMError as error:
        st.error(plain(f"The masks cannot be shown: {error}"))


def _masks(state: AppState, base: ConceptModel) -> None:
    """``base`` is the model as it was loaded."""
    if base.masks is None:
        layout.lead(DENSE)
        return
    layout.lead(LEAD)
    now = corrected_now(state, base)
    _choices(state, base, now)
    view = view_now(state, base)
    overview.show(state, base, view)
    matrix.show(state, base)
    overlap.show(base, now)
    layout.section("Take it with you")
    link.show(state)


def _choices(state: AppState, base: ConceptModel, now: ConceptModel) -> None:
    space, parts = base.space, base.cbm.parts
    concept = chosen_concept(state, parts)
    corrected = differs(base, now, concept)
    there = kinds(corrected, len(parts) > 1)
    shown = state.work.masks.shown(there)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        concept_choice(state, CONCEPT, space, concept, parts)
        if len(there) > 1:
            st.session_state[VIEW] = shown
            st.segmented_control(
                "Look at",
                there,
                format_func=VIEWS.__getitem__,
                key=VIEW,
                required=True,
                wrap=True,
                on_change=state.on_value(VIEW, state.work.masks.choose_view),
            )
        if shown == PAIR:
            st.session_state[SECOND] = state.work.masks.other(concept, parts)
            st.selectbox(
                "Compare with",
                [name for name in parts if name != concept],
                format_func=space.title,
                key=SECOND,
                on_change=state.on_value(SECOND, state.work.masks.choose_second),
                width=220,
                filter_mode=None,
            )
    corrections = state.work.corrections
    held = holding(corrections, state.work.text)
    if not corrections:
        layout.caption(NOTHING_YET)
    elif held and not corrected:
        layout.caption(f"The corrections of this session leave {space.title(concept)} as it was loaded.")
    if len(held) < len(corrections):
        layout.caption(
            f"Left out: {len(corrections) - len(held)} of {len(corrections)} corrections, which hold for "
            "similar reviews only and not for the one on the Explain page."
        )

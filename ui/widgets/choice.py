"""The choice of a concept, which several pages offer."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from ui.state import AppState
from ui.text import plain
from ui.widgets.sums import MANY


def concept_choice(
    state: AppState, key: str, space: ConceptSpace, concept: str, names: Sequence[str] | None = None
) -> None:
    """The concepts side by side, or what of them and the rest is in ``names``; many in a list that can be
    searched. ``concept`` is chosen."""
    options = space.concepts if names is None else names
    st.session_state[key] = concept
    chosen = state.on_value(key, state.work.choose_concept)
    if len(options) > MANY:
        st.selectbox("Concept", options, format_func=space.title, key=key, on_change=chosen, width=320)
        return
    st.segmented_control(
        "Concept",
        options,
        format_func=lambda name: plain(space.title(name)),
        key=key,
        required=True,
        wrap=True,
        on_change=chosen,
    )

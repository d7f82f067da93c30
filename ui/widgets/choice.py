"""The choice of a concept, which several pages offer."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from ui.state import AppState
from ui.text import plain


def concept_choice(
    state: AppState, key: str, space: ConceptSpace, concept: str, names: Sequence[str] | None = None
) -> None:
    """The concepts side by side, or what of them and the rest is in ``names``; ``concept`` chosen."""
    st.session_state[key] = concept
    st.segmented_control(
        "Concept",
        space.concepts if names is None else names,
        format_func=lambda name: plain(space.title(name)),
        key=key,
        required=True,
        wrap=True,
        on_change=state.on_value(key, state.work.choose_concept),
    )

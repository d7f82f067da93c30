"""Undo, redo, and back to the model as it was loaded."""

from __future__ import annotations

import streamlit as st

from ui.state import AppState


def buttons(state: AppState) -> None:
    """The three buttons, wherever corrections are shown."""
    history = state.work.history
    st.button(
        "Undo",
        on_click=state.on(state.work.undo_correction),
        disabled=not history.can_undo,
        key="undo",
        icon=":material/undo:",
    )
    st.button(
        "Redo",
        on_click=state.on(state.work.redo_correction),
        disabled=not history.can_redo,
        key="redo",
        icon=":material/redo:",
    )
    st.button(
        "Model as loaded",
        on_click=state.on(state.work.uncorrected),
        disabled=not history.corrections,
        key="uncorrected",
    )

"""Undo, redo, and back to the model as it was loaded."""

from __future__ import annotations

import streamlit as st

from ui.state import AppState


def buttons(state: AppState) -> None:
    """The three buttons, wherever corrections are shown."""
    work, history = state.work, state.work.history
    for name, act, can in (
        ("undo", work.undo_correction, history.can_undo),
        ("redo", work.redo_correction, history.can_redo),
    ):
        icon = f":material/{name}:"
        st.button(name.title(), on_click=state.on(act), disabled=not can, key=name, icon=icon)
    back = state.on(work.uncorrected)
    st.button("Model as loaded", on_click=back, disabled=not work.corrections, key="uncorrected")

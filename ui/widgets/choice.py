"""Widgets whose choice is kept in the session's state, not by Streamlit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from ui.text import plain


def take_over(key: str, setter: Callable[[Any], None]) -> None:
    """A widget's callback: what was chosen in it goes into the session's state."""
    setter(st.session_state[key])


def concept_choice(key: str, space: ConceptSpace, concept: str, choose: Callable[[str], None]) -> None:
    """The concepts side by side, ``concept`` chosen; ``choose`` gets another one."""
    st.session_state[key] = concept
    st.segmented_control(
        "Concept",
        space.concepts,
        format_func=lambda name: plain(space.title(name)),
        key=key,
        required=True,
        wrap=True,
        on_change=take_over,
        args=(key, choose),
    )

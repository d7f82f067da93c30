"""The states of a concept as a group of buttons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import ConceptExplanation
from sparsecbm_core.figures import percent
from ui.state import AppState
from ui.text import plain

TITLE = "Is a concept wrong? Say what it should be."


def states(
    state: AppState,
    space: ConceptSpace,
    key: str,
    item: ConceptExplanation,
    how: str,
    chosen: str | None,
    act: Callable[..., object],
    required: bool = False,
) -> None:
    """A group named after the concept, with ``chosen`` filled; ``act`` gets the concept and what is pressed.

    The state that the model finds says so: ``how`` it came to that, and how sure it is.
    """
    names = {option: space.title(option) for option in space.states}
    found = item.state, f"{how} {percent(item.probabilities[item.state])}"
    group(state, key, item.concept, space.title(item.concept), names, found, chosen, act, required)


def group(
    state: AppState,
    key: str,
    part: str,
    title: str,
    names: Mapping[str, str],
    found: tuple[str, str],
    chosen: str | None,
    act: Callable[..., object],
    required: bool = False,
) -> None:
    """Buttons for the ``names`` of what can be said of a ``part``; ``found`` is what is said now, and how."""

    def name(option: str) -> str:
        text = plain(names[option])
        return f"{text} :gray-badge[{plain(found[1])}]" if option == found[0] else text

    with st.container(horizontal=True, vertical_alignment="center", key=f"states-{part}"):
        st.html(f'<div class="sc-concept" aria-hidden="true">{escape(title)}</div>', width="content")
        st.session_state[key] = chosen
        st.pills(
            plain(title),
            list(names),
            format_func=name,
            key=key,
            label_visibility="collapsed",
            required=required,
            wrap=True,
            on_change=state.on_value(key, act, part),
        )

"""The review to explain: typed, pasted or chosen."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.session.correction import LONGEST_TEXT
from ui.resources.examples import Example
from ui.state import AppState
from ui.widgets.review_text import words_read

TEXT, EXAMPLE = "review", "example_choice"


def show(state: AppState, examples: Mapping[str, Example], known: Mapping[str, Example]) -> DeltaGenerator:
    """The form; returns the place for the number of words, which only the model knows.

    The menu offers ``examples``; ``known`` are these and further texts that have a name.
    """
    # Only where the session's text changed: writing it always would overwrite what a visitor is typing.
    if TEXT not in st.session_state or state.shown_text != state.work.text:
        st.session_state[TEXT] = state.shown_text = state.work.text
    with st.container(border=True, height="stretch", key="review_card"):
        if examples:
            # None is a text of one's own, or one that the menu does not offer: it shows its placeholder.
            other = known.get(state.work.example or "")
            st.session_state[EXAMPLE] = state.work.example if state.work.example in examples else None
            st.selectbox(
                "Example",
                list(examples),
                index=None,
                format_func=lambda name: examples[name].title,
                key=EXAMPLE,
                placeholder="Choose an example" if other is None else other.title,
                on_change=state.on(_choose, state, examples),
                label_visibility="collapsed",
                filter_mode=None,
            )
        with st.form("review_form", border=False):
            st.text_area(
                "Review", key=TEXT, height=132, label_visibility="collapsed", placeholder="Paste a review"
            )
            with st.container(horizontal=True, vertical_alignment="center"):
                st.form_submit_button(
                    "Explain", type="primary", on_click=state.on(_submit, state, known), key="explain"
                )
                st.form_submit_button("Clear", on_click=state.on(_clear, state), key="clear")
                place = st.empty()
        if state.notice:
            st.html(f'<p class="sc-problem">{escape(state.notice)}</p>')
    return place


def show_count(place: DeltaGenerator, explanation: Explanation) -> None:
    place.html(f'<span class="sc-count">{escape(words_read(explanation))}</span>', width="content")


def _choose(state: AppState, examples: Mapping[str, Example]) -> None:
    name = st.session_state[EXAMPLE]
    if name is None:
        state.leave_example()
    elif name in examples:
        state.show_text(examples[name].text, name)


def _submit(state: AppState, known: Mapping[str, Example]) -> None:
    text = st.session_state[TEXT]
    if len(text) > LONGEST_TEXT:
        # The field keeps the text, to be shortened there.
        state.notice = (
            f"This text has {len(text):,} characters; up to {LONGEST_TEXT:,} can be taken. Shorten it and "
            "press Explain again."
        )
        return
    example = known.get(state.work.example or "")
    state.shown_text = text
    state.show_text(text, example.id if example is not None and example.text == text else None)


def _clear(state: AppState) -> None:
    state.show_text("")
    st.session_state[TEXT] = state.shown_text = ""

"""The title of a page, and beside it the model: a choice where there are several, else a link to its card."""

from __future__ import annotations

from html import escape

import streamlit as st

from ui.frame import pages
from ui.resources.models import ModelCard, Offer
from ui.state import AppState
from ui.text import plain

MODEL = "model_choice"
LONGEST_NAME = 60


def title(text: str, state: AppState, offer: Offer, model: ModelCard, link: bool = True) -> None:
    """``model`` is the one that is looked at; a page that is its card needs no ``link`` to it."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(text, anchor=False)
        if offer.several:
            _choice(state, offer)
        else:
            _name(model, link)
    for line in problems(state, offer, model):
        st.html(f'<p class="sc-problem">{escape(line)}</p>')


def _choice(state: AppState, offer: Offer) -> None:
    st.session_state[MODEL] = state.model
    st.selectbox(
        "Model",
        list(offer.cards),
        format_func=lambda name: offer.cards[name].title,
        key=MODEL,
        on_change=state.on_value(MODEL, state.pick),
        label_visibility="collapsed",
        width=260,
        filter_mode=None,
    )


def _name(model: ModelCard, link: bool) -> None:
    with st.container(width="content", key="model_pill"):
        if link:
            st.page_link(pages.MODEL_CARD, label=plain(model.title))
        else:
            st.html(f'<span class="sc-pill">{escape(model.title)}</span>', width="content")


def problems(state: AppState, offer: Offer, model: ModelCard) -> list[str]:
    """Why the model is not the one that was asked for, and what cannot be chosen: a line each."""
    lines = [f"Not offered: {problem}." for problem in offer.problems]
    if state.unknown is not None:
        asked = state.unknown
        asked = asked if len(asked) <= LONGEST_NAME else f"{asked[:LONGEST_NAME]}…"
        names = ", ".join(offer.cards)
        lines.insert(
            0, f"There is no model “{asked}” here; this is {model.title}. An address can name: {names}."
        )
    return lines

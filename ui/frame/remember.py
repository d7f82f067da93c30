"""A session outside of itself: as a file, and in the browser's memory of this tab, which a reload leaves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import InputError, SparseCBMError
from sparsecbm_core.session.correction import LONGEST_TEXT
from ui.resources import kept, models
from ui.resources.assets import ASSETS
from ui.resources.guard_reviews import known_texts
from ui.resources.models import ModelCard
from ui.state import AppState

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

KEY = "remember"


def show(state: AppState, card: ModelCard) -> None:
    """Let the browser remember the session, and give back to a fresh one what it remembers."""

    def given_back() -> None:
        content = st.session_state[KEY].get("restore")
        if isinstance(content, str):
            _restore(state, card, content)

    def text_given() -> None:
        text = st.session_state[KEY].get("text")
        if isinstance(text, str) and text.strip() and len(text) <= LONGEST_TEXT:
            state.show_text(text)

    # A fresh session has nothing to remember yet.
    data = {"session": saved(state, card) if state.remembered else "", "fresh": not state.remembered}
    _component()(
        data=data,
        key=KEY,
        on_restore_change=state.on(given_back),
        on_text_change=state.on(text_given),
        height="content",
    )
    state.remembered = True


def saved(state: AppState, card: ModelCard) -> str:
    """The session as it is; empty for a model whose folder does not say what it is."""
    if card.fingerprint is None:
        return ""
    from sparsecbm_core.session.file import SavedSession

    work = state.work
    return SavedSession(card.fingerprint, work.text, work.example, work.concept, work.corrections).to_json()


def open_session(state: AppState, card: ModelCard, content: str | bytes, with_text: bool = True) -> int:
    """Go on with a saved session, its corrections on top of those there are; returns how many came with it.

    ``with_text`` False leaves the text that is shown. Raises `InputError` for what is no session of this
    model and `PatchError` for a correction that does not fit it; nothing is changed then.
    """
    from sparsecbm_core.session.file import SavedSession

    found = SavedSession.from_json(content)
    if found.model != card.fingerprint:
        raise InputError(f"it is of another model, {found.model}; this one is {card.fingerprint}")
    base = models.model(card)
    for item in found.corrections:
        item.patch.check(base)
    if with_text:
        named = known_texts(card.space).get(found.example or "")
        state.show_text(found.text, found.example if named and named.text == found.text else None)
    if found.concept in card.space.concepts:
        state.work.concept = found.concept
    before = len(state.work.corrections)
    # Numbers are this ledger's own: elsewhere, or by now, another correction may have one, or none.
    numbers = {item.fingerprint: item.kept for item in kept.active(found.model)}
    state.work.use([replace(item, kept=numbers.get(item.fingerprint)) for item in found.corrections])
    return len(state.work.corrections) - before


def _restore(state: AppState, card: ModelCard, content: str) -> None:
    """What does not fit is nobody's fault, and left out. An example that the address named stays."""
    try:
        open_session(state, card, content, with_text=not state.linked)
    except SparseCBMError:
        return


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "sparsecbm_remember", html="", js=(ASSETS / "remember.js").read_text(encoding="utf-8")
    )

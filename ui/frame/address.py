"""The address: it names the model, the example, the concept and the method, never a text of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from ui.resources.guard_reviews import known_texts
from ui.resources.models import ModelCard, Offer
from ui.state import AppState

MODEL = ("model",)  # all that the address of a page without a review shows
PARAMETERS = (*MODEL, "example", "concept", "method")


def read_address(state: AppState, page: str, offer: Offer, names: Sequence[str] = PARAMETERS) -> ModelCard:
    """Follow the address where it was opened, or changed by going back; returns the model to show.

    Coming from another page the address is empty and the state stays as it was. A run that answers
    a widget may still bring the address from before the last change: it is not followed then. For a page
    that shows no review, only the model of the address counts: ``names`` is `MODEL`.
    """
    visit = _visit(state, page, names)
    card = _choose(state, offer, visit)
    if names != MODEL and (visit.follow or not state.started):
        state.apply(visit.given, known_texts(card.space), card.space.concepts)
    _arrive(state, visit)
    return card


def write_address(state: AppState, names: Sequence[str] = PARAMETERS) -> None:
    """Show the state in the address, leaving parameters of others alone.

    One message for all of it, or the browser's history would get an entry for each parameter. Whoever
    went back stays at the address they went to, or they could never leave.
    """
    if state.followed:
        return
    wanted = {name: value for name, value in state.parameters().items() if name in names}
    if _given(names) != wanted:
        others = {name: st.query_params.get_all(name) for name in st.query_params if name not in names}
        st.query_params.from_dict({**others, **wanted})
    state.address = wanted


def answered(state: AppState) -> None:
    """Say that a part of the page answers a click by itself, which may take long: whoever goes back meanwhile
    does go back. What the address was at the click is not yet going back: it may be an older one."""
    if state.touched:
        state.touched, state.clicked_at = False, _given(PARAMETERS)


@dataclass(frozen=True)
class _Visit:
    """A run of a page: what its address says, whether it is another ``page`` than the last one, and whether
    the visitor ``went_back`` to the address."""

    page: str
    given: dict[str, str]
    moved: bool
    went_back: bool

    @property
    def follow(self) -> bool:
        return self.went_back or (self.moved and bool(self.given))


def _visit(state: AppState, page: str, names: Sequence[str]) -> _Visit:
    given, moved = _given(names), state.page != page
    went_back = not (moved or state.touched) and given not in (state.address, state.clicked_at)
    return _Visit(page, given, moved, went_back)


def _given(names: Sequence[str]) -> dict[str, str]:
    return {name: st.query_params[name] for name in names if name in st.query_params}


def _choose(state: AppState, offer: Offer, visit: _Visit) -> ModelCard:
    """The model that was just picked, else that of the address, else that of the session; where there is none
    of that name, the default."""
    asked = visit.given.get("model") if visit.follow else None
    if visit.moved or visit.went_back or state.touched:
        state.unknown = None if asked in offer.cards else asked
    wanted = state.picked or asked or state.model
    name = offer.default if wanted is None or wanted not in offer.cards else wanted
    card = offer.cards[name]
    state.picked, state.several = None, offer.several
    state.switch(name, card, partial(known_texts, card.space))
    return card


def _arrive(state: AppState, visit: _Visit) -> None:
    if visit.went_back:
        state.address = visit.given
    if visit.moved or visit.went_back:
        state.work.request = None  # whoever leaves has called it off
    state.page, state.touched, state.followed, state.clicked_at = visit.page, False, visit.went_back, None

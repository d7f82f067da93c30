"""A link that shows what is on the page: opened elsewhere, by somebody else, on this server."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.session.correction import Correction
from ui.resources import kept
from ui.resources.assets import ASSETS
from ui.resources.models import ModelCard
from ui.state import AppState
from ui.text import counted
from ui.widgets import layout

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

# Of what the address does not show anyway. A link brings them; they are taken up once and leave the address.
VIEW, MATRIX, KEPT = EXTRAS = ("view", "matrix", "kept")
WITH_TEXT, MOST_KEPT = "link_text", 100


def show(state: AppState) -> None:
    """The button, what its link leaves out, and whether it takes the review along."""
    own = state.work.example is None and bool(state.work.text.strip())
    with_text = own and st.checkbox("The link holds the text of the review", key=WITH_TEXT)
    data = {"parameters": parameters(state), "text": state.work.text if with_text else None}
    _component()(data=data, key="copy_link", height="content")
    if left := left_out(state, own and not with_text):
        layout.caption(left)


def parameters(state: AppState) -> dict[str, str]:
    """All that the address shows, and the extras where something was chosen."""
    masks = state.work.masks
    numbers = [str(item.kept) for item in state.work.corrections if item.kept is not None]
    extras = {VIEW: masks.view, MATRIX: masks.matrix, KEPT: ",".join(numbers) or None}
    chosen = {name: value for name, value in extras.items() if value is not None}
    return {**state.parameters(), **chosen}


def left_out(state: AppState, text: bool) -> str:
    """What whoever opens the link will not see; empty where it shows all."""
    waiting = sum(item.kept is None for item in state.work.corrections)
    missing = [
        *(["the text of the review"] if text else []),
        *([f"{counted(waiting, 'correction')} not kept"] if waiting else []),
    ]
    return f"The link leaves out {' and '.join(missing)}." if missing else ""


def take(state: AppState, card: ModelCard) -> None:
    """Take the extras of an address up, and out of it; what it says wrongly is ignored."""
    given = {name: st.query_params[name] for name in EXTRAS if name in st.query_params}
    if not given:
        return
    for name in given:
        del st.query_params[name]
    masks = state.work.masks
    masks.view, masks.matrix = given.get(VIEW), given.get(MATRIX)
    state.work.use(_kept(given, card))


def _kept(given: Mapping[str, str], card: ModelCard) -> list[Correction]:
    """The kept corrections that an address names by their numbers, those of this model that are active."""
    numbers = [int(number) for number in given.get(KEPT, "").split(",")[:MOST_KEPT] if number.isdecimal()]
    if not numbers or card.fingerprint is None:
        return []
    active = {item.kept: item for item in kept.active(card.fingerprint)}
    return [active[number] for number in numbers if number in active]


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "sparsecbm_link",
        html='<div class="link"><button type="button">Copy link</button>'
        '<input readonly hidden aria-label="The link"><span role="status"></span></div>',
        css=(ASSETS / "link.css").read_text(encoding="utf-8"),
        js=(ASSETS / "link.js").read_text(encoding="utf-8"),
    )

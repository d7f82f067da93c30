"""The app around its pages: settings and navigation, and what every page begins with.

When the first visit to a new server is a link to a page, Streamlit runs the page's file instead of app.py.
So a page that is not run by the app starts the app, which then runs it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import streamlit as st

from ui.frame import link as link_to_here
from ui.frame import loading, pages, picker, remember
from ui.frame.address import MODEL, PARAMETERS, read_address, write_address
from ui.resources.assets import ASSETS
from ui.state import AppState, current

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

    from ui.resources.models import ModelCard, Offer

_runs = ContextVar("_runs", default=False)


def run() -> None:
    """Set the app up and run the page that was asked for."""
    page = _set_up()
    before = _runs.set(True)
    try:
        page.run()
    finally:
        _runs.reset(before)


def _set_up() -> StreamlitPage:
    """Page settings, navigation and style; returns the page that was asked for."""
    st.set_page_config(page_title="SparseCBM Explorer", page_icon=ASSETS / "icon.svg", layout="wide")
    page = st.navigation(
        [st.Page(path, title=title, default=path == pages.EXPLAIN) for path, title in pages.TITLES.items()],
        position="top",
    )
    for sheet in ("app.css", "parts.css"):
        st.html(ASSETS / sheet)
    return page


def begin(
    page: str, title: str, of_review: bool = True, link: bool = True
) -> tuple[AppState, ModelCard, Offer]:
    """The session, the model that it looks at and those it can choose from, with the page's ``title`` shown.

    ``of_review`` for a page that shows the review, which the address then names; ``link`` for one that leads
    to the model's card.
    """
    if not _runs.get():
        run()
        st.stop()
    names = PARAMETERS if of_review else MODEL
    state, offer = current(), loading.offer()
    card = read_address(state, page, offer, names)
    link_to_here.take(state, card)
    write_address(state, names)
    picker.title(title, state, offer, card, link)
    with st.container(key="remembered"):
        remember.show(state, card)
    return state, card, offer

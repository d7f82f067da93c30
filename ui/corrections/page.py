"""The Corrections page, from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from ui.corrections import chain, in_session, kept_list
from ui.frame import announce, loading, pages
from ui.resources import kept
from ui.resources.models import ModelCard, Offer
from ui.resources.session import guard_of
from ui.state import AppState, current
from ui.text import plain
from ui.widgets import layout

if TYPE_CHECKING:
    from sparsecbm_core.ledger import KeptCorrection, Ledger

ABOUT = (
    "A correction flips a few bits of one concept's mask. The weights stay as they are, and each correction "
    "can be taken back on its own."
)
DENSE = "This model is dense: it has no masks, so there is nothing in it to correct."


def leave_to_redo() -> None:
    """A correction is to be made anew where its review is shown."""
    choice = current().work.ledger
    if choice.leave:
        choice.leave = False
        st.switch_page(pages.EXPLAIN)


def show(state: AppState, card: ModelCard, offer: Offer) -> None:
    layout.lead(ABOUT)
    _tell(state)
    base = loading.load(card)
    if base.masks is None:
        layout.caption(DENSE)
        return
    ledger, corrections, problem = _kept()
    own = [correction for correction in corrections if correction.model == base.fingerprint]
    others = [correction for correction in corrections if correction.model != base.fingerprint]
    in_session.show(state, card, base, base.masks, own)
    if ledger is None:
        layout.section("Kept")
        st.error(f"**Kept corrections cannot be shown.** {plain(problem)}", icon=":material/error:")
    else:
        titles = {other.fingerprint: other.title for other in offer.cards.values() if other.fingerprint}
        kept_list.show(state, base, ledger, own, others, titles)
    guard = guard_of(card, state.work.guard_reviews)
    active = [correction for correction in own if correction.active]
    chain.show(state, base, guard, [kept.as_correction(correction) for correction in active])


def _tell(state: AppState) -> None:
    """What came of the last action: once."""
    told, state.work.ledger.told = state.work.ledger.told, None
    with st.container(key="said"):
        # What is wrong is an alert, which is read out by itself.
        announce.say(told.text if told is not None and told.good else "")
    if told is not None and told.good:
        st.success(plain(told.text), icon=":material/check:")
    elif told is not None:
        st.error(plain(told.text), icon=":material/error:")


def _kept() -> tuple[Ledger | None, tuple[KeptCorrection, ...], str]:
    """The ledger and all it holds; without one, why."""
    try:
        ledger = kept.ledger()
        return ledger, ledger.list(), ""
    except SparseCBMError as error:
        return None, (), str(error)

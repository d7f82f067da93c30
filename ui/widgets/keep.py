"""Keep a correction: in the ledger, with a note, and with the review only where its owner agrees."""

from __future__ import annotations

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.session.correction import Correction
from ui.frame import pages
from ui.resources import kept
from ui.state import AppState
from ui.text import plain
from ui.widgets import layout

NOTE, WITH_TEXT = "keep_note", "keep_text"
LONGEST_NOTE = 2_000


def show(state: AppState, correction: Correction) -> None:
    """A button that opens a small form; what is kept says so."""
    if correction.kept is not None:
        st.page_link(
            pages.CORRECTIONS, label=f"Kept as correction {correction.kept}", icon=":material/check:"
        )
        return
    waiting = unkept(state)
    with (
        st.popover("Keep", type="primary", icon=":material/bookmark:", key="keep"),
        st.form("keep_form", border=False),
    ):
        st.text_input(
            "Note",
            key=NOTE,
            max_chars=LONGEST_NOTE,
            placeholder="Why is it right?",
        )
        st.checkbox("Keep the review's text as well", key=WITH_TEXT)
        layout.caption(
            "A kept correction lasts: it is in the ledger, for everybody who uses it, until it is reverted."
            + (f" {len(waiting) - 1} earlier corrections of yours are kept with it." if waiting[1:] else "")
        )
        st.form_submit_button(
            "Keep the correction" if len(waiting) == 1 else f"Keep all {len(waiting)} corrections",
            type="primary",
            on_click=state.on(keep, state),
            key="keep_submit",
        )
    if state.work.not_kept is not None:
        st.error(f"**The correction was not kept.** {plain(state.work.not_kept)}", icon=":material/error:")


def unkept(state: AppState) -> list[Correction]:
    return [correction for correction in state.work.corrections if correction.kept is None]


def keep(state: AppState) -> None:
    """All that is not kept yet, in order: a correction is exact only on top of those before it."""
    state.work.not_kept = None
    note, with_text = str(st.session_state[NOTE]), bool(st.session_state[WITH_TEXT])
    waiting = unkept(state)
    try:
        ledger = kept.ledger()
        for correction in waiting:
            own = note if correction is waiting[-1] else ""
            added = ledger.add(correction.patch, note=own, text=correction.text if with_text else None)
            state.work.history.mark_kept(correction.fingerprint, added.id)
    except SparseCBMError as error:
        state.work.not_kept = str(error)

"""Keep corrections: in the ledger, each with a note, and with the review only where its owner agrees."""

from __future__ import annotations

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.session.correction import Correction
from ui.frame import pages
from ui.resources import kept
from ui.state import AppState
from ui.text import correction_title, plain, short
from ui.widgets import layout

WITH_TEXT = "keep_text"
LONGEST_NOTE = 2_000
NONE_TICKED = "Tick what is to be kept."


def show(state: AppState, space: ConceptSpace, correction: Correction | None = None) -> None:
    """A button that opens a small form for what is not kept yet; where ``correction`` is, it says so."""
    if correction is not None and correction.kept is not None:
        st.page_link(
            pages.CORRECTIONS, label=f"Kept as correction {correction.kept}", icon=":material/check:"
        )
        return
    waiting = unkept(state)
    with (
        st.popover("Keep", type="primary", icon=":material/bookmark:", key="keep"),
        st.form("keep_form", border=False),
    ):
        for item in waiting:
            if waiting[1:]:
                # Those of other reviews only where they are asked for.
                own = item.text == state.work.text
                st.checkbox(_name(item, space), value=own, key=_key("keep", item))
            st.text_input(
                f"Note on {correction_title(item.patch, space)}" if waiting[1:] else "Note",
                key=_key("keep_note", item),
                max_chars=LONGEST_NOTE,
                placeholder="Why is it right?",
                label_visibility="collapsed" if waiting[1:] else "visible",
            )
        st.checkbox("Keep the review's text as well", key=WITH_TEXT)
        layout.caption(
            "A kept correction lasts: it is in the ledger, for everybody who uses it, until it is reverted."
            + (" Each was made on top of those above it." if waiting[1:] else "")
        )
        st.form_submit_button(
            "Keep what is ticked" if waiting[1:] else "Keep the correction",
            type="primary",
            on_click=state.on(keep, state),
            key="keep_submit",
        )
    if state.work.not_kept is not None:
        st.error(f"**The correction was not kept.** {plain(state.work.not_kept)}", icon=":material/error:")


def _name(item: Correction, space: ConceptSpace) -> str:
    name = correction_title(item.patch, space)
    return plain(f"{name}, “{short(item.text)}”" if item.text else name)


def _key(what: str, item: Correction) -> str:
    return f"{what}-{item.fingerprint}"


def unkept(state: AppState) -> list[Correction]:
    return [correction for correction in state.work.corrections if correction.kept is None]


def keep(state: AppState) -> None:
    """What is ticked, in order, each with its note."""
    state.work.not_kept = None
    waiting, with_text = unkept(state), bool(st.session_state[WITH_TEXT])
    ticked = [item for item in waiting if not waiting[1:] or st.session_state[_key("keep", item)]]
    if not ticked:
        state.work.not_kept = NONE_TICKED
        return
    try:
        ledger = kept.ledger()
        for item in ticked:
            note = str(st.session_state[_key("keep_note", item)])
            added = ledger.add(item.patch, note=note, text=item.text if with_text else None)
            state.work.history.mark_kept(item.fingerprint, added.id)
    except SparseCBMError as error:
        state.work.not_kept = str(error)

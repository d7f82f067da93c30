"""One kept correction, opened: what it is, and what can be done with it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from ui.corrections import actions
from ui.corrections.files import patch_name
from ui.corrections.words import facts, facts_html, overlap_words, when
from ui.state import AppState
from ui.text import plain
from ui.widgets import layout
from ui.widgets.download import download
from ui.widgets.keep import LONGEST_NOTE

if TYPE_CHECKING:
    from sparsecbm_core.ledger import KeptCorrection, Ledger, Overlaps
    from sparsecbm_core.models.concept_model import ConceptModel

Act = Callable[[AppState, "KeptCorrection"], None]
MOST_REDONE = 3
REDO = (
    "They were made on top of this one. To have them exact without it, make them anew: that reverts one of "
    "them and opens its review on Explain."
)
PATCH = "application/octet-stream"


def show(state: AppState, base: ConceptModel, ledger: Ledger, correction: KeptCorrection, used: bool) -> None:
    rows = facts(correction.patch, base.space)
    if not correction.active:
        rows.insert(1, ("Reverted", when(correction.changed)))
    st.html(facts_html(rows))
    _note(state, correction)
    with st.container(horizontal=True):
        _use(state, correction, used)
        if correction.active:
            _button(state, correction, "Revert", "revert", actions.revert)
        else:
            _button(state, correction, "Restore", "restore", actions.restore)
        download("Save as a patch file", correction.patch.to_bytes, patch_name(correction), PATCH)
    try:
        _overlaps(state, base, ledger, correction)
    except SparseCBMError as error:
        st.error(plain(str(error)), icon=":material/error:")


def _use(state: AppState, correction: KeptCorrection, used: bool) -> None:
    if used:
        st.button(
            "Drop from this session",
            key=f"drop-{correction.id}",
            on_click=state.on(actions.drop, state, correction.patch.edit.fingerprint()),
        )
    elif correction.active:
        st.button(
            "Use in this session",
            key=f"use-{correction.id}",
            on_click=state.on(actions.use, state, [correction]),
        )


def _button(state: AppState, correction: KeptCorrection, text: str, key: str, act: Act) -> None:
    st.button(text, key=f"{key}-{correction.id}", on_click=state.on(act, state, correction))


def _note(state: AppState, correction: KeptCorrection) -> None:
    # Another key for another note: what was typed before does not hide what somebody else has written since.
    key = f"note-{correction.id}-{zlib.crc32(correction.note.encode()):08x}"
    with st.form(f"form-{key}", border=False):
        st.text_area(
            "Note",
            correction.note,
            key=key,
            height=70,
            max_chars=max(LONGEST_NOTE, len(correction.note)),
            placeholder="Why is it right?",
        )
        st.form_submit_button("Save the note", on_click=state.on(_save_note, state, correction, key))


def _save_note(state: AppState, correction: KeptCorrection, key: str) -> None:
    actions.set_note(state, correction, str(st.session_state[key]))


def _overlaps(state: AppState, base: ConceptModel, ledger: Ledger, correction: KeptCorrection) -> None:
    """What reverting (or restoring) it does to the sparsity, and the later corrections to make anew."""
    if base.masks is None:
        return
    found: Overlaps = ledger.overlaps(correction.id, base)
    verb = "Reverting" if correction.active else "Restoring"
    later = {other.id: other.shared for other in found.later}
    words = overlap_words(later, found.kept or 0, base.masks.total, verb)
    if words:
        only = (
            "" if correction.patch.signature is None else " That is for a review that all of them hold for."
        )
        layout.caption(words + only)
    if later and not correction.active:
        layout.caption(REDO)
        with st.container(horizontal=True):
            for number in list(later)[:MOST_REDONE]:
                _redo(state, correction, ledger.get(number))


def _redo(state: AppState, first: KeptCorrection, later: KeptCorrection) -> None:
    st.button(
        f"Redo correction {later.id}",
        key=f"redo-{first.id}-{later.id}",
        on_click=state.on(actions.redo, state, later),
        disabled=later.text is None,
        help="Its review was not kept: explain it yourself, and correct it there."
        if later.text is None
        else None,
    )

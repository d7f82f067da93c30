"""The corrections of this session: the chain that makes the model what it now is for this visitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import millions
from sparsecbm_core.session.corrected import net
from sparsecbm_core.session.correction import Correction, Corrections
from ui.corrections import actions
from ui.corrections.pager import one_page, row, turner
from ui.corrections.words import facts, facts_html, overlap_words, row_label
from ui.frame import remember
from ui.resources.models import ModelCard
from ui.state import AppState
from ui.text import counted
from ui.widgets import keep, layout, undo
from ui.widgets.download import JSON, download

if TYPE_CHECKING:
    from sparsecbm_core.ledger import KeptCorrection
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.models.masks import MaskSet

EVERYWHERE, UPLOAD = "everywhere", "open_session"
ABOUT = "The model as it now is for you: these corrections in this order. Nobody else sees those not kept."
NONE = "The model is as it was loaded: no correction is in use."


def show(
    state: AppState, card: ModelCard, base: ConceptModel, masks: MaskSet, kept: Sequence[KeptCorrection]
) -> None:
    """``kept`` are the ledger's corrections of this model."""
    corrections, choice = state.work.corrections, state.work.ledger
    known = _by_edit(corrections, kept)
    layout.section("In this session", ABOUT if corrections else NONE)
    if corrections:
        layout.caption(summary(corrections, masks))
        number, shown = one_page(list(enumerate(corrections)), choice.session_page)
        with st.container(key="session_chain", gap="xsmall"):
            for position, correction in shown:
                _row(state, base.space, masks, corrections, position, known.get(correction.fingerprint))
        turner(state, corrections, number, state.keyed("session_page"), "session_page")
    _buttons(state, card, base.space)


def _by_edit(corrections: Corrections, kept: Sequence[KeptCorrection]) -> dict[str, KeptCorrection]:
    """What the ledger knows of the corrections, also of one that this session has not kept itself."""
    numbers = {correction.kept: correction.fingerprint for correction in corrections}
    found = {numbers[item.id]: item for item in kept if item.id in numbers}
    if None in numbers:
        found |= {item.patch.edit.fingerprint(): item for item in kept}
    return found


def summary(corrections: Corrections, masks: MaskSet) -> str:
    """What the chain comes to, in one line."""
    waiting = sum(correction.kept is None for correction in corrections)
    counts = net([item for item in corrections if item.patch.scope == EVERYWHERE]).counts(masks)
    dropped, grown = sum(count.dropped for count in counts), sum(count.grown for count in counts)
    sparse = "as sparse as before" if dropped == grown else f"{counted(abs(grown - dropped), 'weight')} "
    if dropped != grown:
        sparse += "more kept than before" if grown > dropped else "fewer kept than before"
    words = [
        f"{counted(len(corrections), 'correction')}, {waiting} of them not kept."
        if waiting
        else f"{counted(len(corrections), 'correction')}, all kept.",
        f"Of {millions(masks.total)} weights a concept, {dropped:,} dropped and {grown:,} grown: {sparse}.",
    ]
    similar = sum(correction.patch.scope != EVERYWHERE for correction in corrections)
    if similar:
        words.append(f"{similar} for similar reviews only, not counted here.")
    return " ".join(words)


def _row(
    state: AppState,
    space: ConceptSpace,
    masks: MaskSet,
    corrections: Corrections,
    position: int,
    in_ledger: KeptCorrection | None,
) -> None:
    correction = corrections[position]
    note = correction.patch.note if in_ledger is None else in_ledger.note
    label = row_label(position + 1, correction.patch, note, space)
    box = row(state, f"step-{correction.fingerprint}", f"{label} {_status(correction, in_ledger)}")
    if not box.open:
        return
    with box:
        rows = facts(correction.patch, space)
        if correction.text is not None and correction.patch.text is None:
            rows.append(("Review", correction.text))
        if note:
            rows.insert(0, ("Note", note))
        st.html(facts_html(rows))
        words = _overlap(corrections, position, masks)
        if words:
            layout.caption(words)
        st.button(
            "Drop from this session",
            key=f"drop-step-{correction.fingerprint}",
            on_click=state.on(actions.drop, state, correction.fingerprint),
        )


def _status(correction: Correction, in_ledger: KeptCorrection | None) -> str:
    if correction.kept is None and in_ledger is None:
        return "· **not kept**"
    number = correction.kept if in_ledger is None else in_ledger.id
    reverted = in_ledger is not None and not in_ledger.active
    return f":gray[· kept as {number}{', reverted there' if reverted else ''}]"


def _overlap(corrections: Corrections, position: int, masks: MaskSet) -> str:
    """What dropping one does to the sparsity, given those after it."""
    own = corrections[position].patch
    if own.scope != EVERYWHERE:
        return ""
    everywhere = [correction for correction in corrections if correction.patch.scope == EVERYWHERE]
    shared = {
        number: own.edit.shared(correction.patch.edit)
        for number, correction in enumerate(corrections, start=1)
        if number > position + 1 and correction.patch.scope == EVERYWHERE
    }
    counts = own.edit.counts(net(everywhere).apply(masks))
    change = sum(count.grown - count.dropped for count in counts)
    later = {number: bits for number, bits in shared.items() if bits}
    return overlap_words(later, change, masks.total, "Dropping")


def _buttons(state: AppState, card: ModelCard, space: ConceptSpace) -> None:
    waiting = keep.unkept(state)
    with st.container(horizontal=True):
        undo.buttons(state)
        if waiting:
            keep.show(state, space)
        download("Save the session", lambda: remember.saved(state, card), "session.json", JSON)
    _open(state, card)


def _open(state: AppState, card: ModelCard) -> None:
    key = state.keyed(UPLOAD)
    with st.expander("Open a saved session", type="compact"):
        layout.caption("Its text and its corrections, on top of those that are in use now.")
        st.file_uploader(
            "A session saved here as JSON",
            type="json",
            key=key,
            on_change=state.on(actions.open_session, state, card, key),
        )

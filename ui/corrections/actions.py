"""What can be done with corrections on their page: callbacks, each of which tells what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.session.correction import Correction
from ui.corrections.words import capital, numbers
from ui.frame import remember
from ui.resources import kept
from ui.resources.models import ModelCard
from ui.state import AppState
from ui.text import counted
from ui.work import Told

if TYPE_CHECKING:
    from sparsecbm_core.ledger import KeptCorrection, Ledger
    from sparsecbm_core.models.concept_model import ConceptModel

Upload = tuple[str, bytes]
MOST_REASONS = 5


def open_session(state: AppState, card: ModelCard, key: str) -> None:
    """What was uploaded in the widget ``key``."""
    file = st.session_state[key]
    if file is None:
        return
    try:
        count = remember.open_session(state, card, file.getvalue())
    except SparseCBMError as error:
        state.work.ledger.told = Told(f"{file.name} cannot be opened: {error}.", good=False)
        return
    came = f"{counted(count, 'correction')} {'is' if count == 1 else 'are'} now in use with it"
    state.work.ledger.told = Told(f"The session is open: its text is on the Explain page, {came}.")


def revert(state: AppState, correction: KeptCorrection) -> None:
    """Stop applying it, also in this session."""

    def act(ledger: Ledger) -> str:
        ledger.revert(correction.id)
        edit = correction.patch.edit.fingerprint()
        used = edit in uses(state)
        state.work.drop(edit)
        said = f"Correction {correction.id} is reverted."
        if used:
            said += " It was in use in this session and is dropped here as well."
        later = [other.id for other in ledger.overlaps(correction.id).later]
        if later:
            said += f" {capital(numbers(later))} came later and share bits with it: open it to redo them."
        return said

    _do(state, act)


def restore(state: AppState, correction: KeptCorrection) -> None:
    def act(ledger: Ledger) -> str:
        ledger.restore(correction.id)
        return f"Correction {correction.id} is active again. Use it, to have it in this session as well."

    _do(state, act)


def set_note(state: AppState, correction: KeptCorrection, note: str) -> None:
    def act(ledger: Ledger) -> str:
        ledger.set_note(correction.id, note)
        return f"The note of correction {correction.id} is saved."

    if note != correction.note:
        _do(state, act)


def use(state: AppState, corrections: Sequence[KeptCorrection]) -> None:
    """Load kept corrections into this session, in the order they were kept."""
    before = len(state.work.corrections)
    state.work.use(list(map(kept.as_correction, corrections)))
    new = len(state.work.corrections) - before
    known = len(corrections) - new
    verb = "is" if new == 1 else "are"
    words = f"{counted(new, 'correction')} {verb} now in use in this session." if new else ""
    rest = f" {'All' if not new else counted(known, 'other')} {_were(new, known)}" if known else ""
    state.work.ledger.told = Told((words + rest).strip())


def _were(new: int, known: int) -> str:
    return f"{'was' if new and known == 1 else 'were'} in use already."


def drop(state: AppState, edit: str) -> None:
    """Do without a correction in this session; what is kept stays kept."""
    state.work.drop(edit)
    state.work.ledger.told = Told("Dropped from this session. Undo brings it back.")


def redo(state: AppState, later: KeptCorrection) -> None:
    """Take a correction back and open its review, where it can be made anew on the model as it then is."""

    def act(ledger: Ledger) -> str:
        ledger.revert(later.id)
        state.work.drop(later.patch.edit.fingerprint())
        if later.text is not None:
            state.show_text(later.text)
            state.work.choose_concept(later.concept)
            state.work.ledger.leave = True
        return f"Correction {later.id} is reverted, to be made anew."

    _do(state, act)


def take_in(state: AppState, base: ConceptModel, uploads: Sequence[Upload]) -> None:
    """Keep the patches of uploaded files; if one of them cannot be, none is."""
    from sparsecbm_core.intervene.patch import Patch
    from ui.corrections.files import unpacked

    def act(ledger: Ledger) -> str:
        found = ledger.import_([content for _, content in files])
        added, known = len(found.added), len(found.known)
        words = [f"{counted(added, 'correction')} added."] if added else ["Nothing to add."]
        if known:
            verb = "was" if known == 1 else "were"
            ids = [correction.id for correction in found.known]
            words.append(f"{capital(numbers(ids))} {verb} here already.")
        return " ".join(words)

    reasons: list[str] = []
    files: list[Upload] = []
    for name, content in uploads:
        try:
            files += unpacked(name, content)
        except SparseCBMError as error:
            reasons.append(str(error))
    for name, content in files:
        try:
            Patch.from_bytes(content, name).check(base)
        except SparseCBMError as error:
            reasons.append(str(error) if name in str(error) else f"{name}: {error}")
    if reasons:
        more = f" … and {len(reasons) - MOST_REASONS} more" if len(reasons) > MOST_REASONS else ""
        said = "; ".join(reasons[:MOST_REASONS])
        state.work.ledger.told = Told(f"Nothing was imported. {said}{more}", good=False)
    elif files:
        _do(state, act)


def uses(state: AppState) -> dict[str, Correction]:
    """The corrections of this session by the fingerprint of their flips."""
    return {item.fingerprint: item for item in state.work.corrections}


def _do(state: AppState, act: Callable[[Ledger], str]) -> None:
    """Whatever goes wrong with the ledger is told in one line, and nothing is changed."""
    try:
        state.work.ledger.told = Told(act(kept.ledger()))
    except SparseCBMError as error:
        state.work.ledger.told = Told(f"Nothing was changed. {error}", good=False)

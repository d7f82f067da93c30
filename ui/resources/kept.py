"""The ledger of kept corrections, opened once for all sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.session.correction import Correction

if TYPE_CHECKING:
    from sparsecbm_core.ledger import KeptCorrection, Ledger


def ledger() -> Ledger:
    """The ledger; `LedgerError`, in one line, where it cannot be opened (tried again the next time)."""
    from sparsecbm_core.ledger import default_place

    return _open(default_place())


@st.cache_resource(max_entries=2, show_spinner=False)
def _open(place: str) -> Ledger:
    from sparsecbm_core.ledger import Ledger

    return Ledger.open(place)


def active(model: str) -> list[Correction]:
    """The kept corrections of a model, by its fingerprint, that are active; none where the ledger cannot be
    read, which the page of corrections and the button that keeps say."""
    try:
        return [as_correction(item) for item in ledger().list(model, active=True)]
    except SparseCBMError:
        return []


def as_correction(correction: KeptCorrection) -> Correction:
    """A kept correction as part of a session's chain."""
    return Correction(correction.patch, text=correction.text, kept=correction.id)

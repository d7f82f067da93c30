"""After undo, redo and drop: what that did, and what now holds."""

from __future__ import annotations

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.session.correction import Correction, Corrections
from sparsecbm_core.session.history import Step
from ui.correct.before_after import headline
from ui.state import AppState
from ui.text import correction_title, short
from ui.widgets import keep, layout


def show(state: AppState, step: Step, space: ConceptSpace) -> None:
    st.html(headline(verdict(step, space)))
    layout.caption(in_use(state, space))
    if keep.unkept(state):
        keep.show(state, space)


def verdict(step: Step, space: ConceptSpace) -> str:
    def names(corrections: Corrections) -> str:
        return "; ".join(correction_title(item.patch, space) for item in corrections)

    undone, again = f"Undone: {names(step.left)}.", f"Done again: {names(step.back)}."
    said = [text for text, what in ((undone, step.left), (again, step.back)) if what]
    return " ".join(said) or "Nothing was changed."


def in_use(state: AppState, space: ConceptSpace) -> str:
    """The corrections that the model now has."""
    if not state.work.corrections:
        return "The model is as it was loaded."

    def name(item: Correction) -> str:
        where = f", in “{short(item.text)}”" if item.text and item.text != state.work.text else ""
        return correction_title(item.patch, space) + where

    return f"Still in use: {'; '.join(map(name, state.work.corrections))}."

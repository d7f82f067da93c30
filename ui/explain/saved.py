"""An explanation opened from a file."""

from __future__ import annotations

import json

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import InputError, SparseCBMError
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.session.correction import LONGEST_TEXT
from ui.state import AppState
from ui.text import plain

UPLOAD = "open_saved"


def show_upload(state: AppState) -> None:
    key = state.keyed(UPLOAD)
    with st.expander("Open a saved explanation", type="compact", expanded=state.refused is not None):
        st.file_uploader(
            "An explanation saved here as JSON",
            type="json",
            key=key,
            on_change=state.on(_open, state, key),
        )
        if state.refused:
            st.error(state.refused, icon=":material/error:")


def _open(state: AppState, key: str) -> None:
    state.refused = None
    file = st.session_state[key]
    if file is None:
        return
    try:
        state.open_saved(read_saved(file.getvalue()))
    except SparseCBMError as error:
        state.refused = f"**This file cannot be opened.** {plain(str(error))}"


def read_saved(data: bytes) -> Explanation:
    """The explanation in a file; `InputError` saying what the file is instead."""
    from sparsecbm_core.explain.schema import load_explanation

    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is not JSON: {error}") from error
    explanation = load_explanation(values)
    own_space(explanation)
    if len(explanation.text) > LONGEST_TEXT:
        raise InputError(
            f"its text has {len(explanation.text):,} characters; up to {LONGEST_TEXT:,} can be taken"
        )
    return explanation


def own_space(explanation: Explanation) -> ConceptSpace:
    """The names that an explanation itself holds."""
    states = [tuple(item.probabilities) for item in explanation.concepts.values()]
    if any(set(names) != set(states[0]) for names in states):
        raise InputError("not a valid explanation: its concepts have different states")
    return ConceptSpace(
        tuple(explanation.concepts), states[0] if states else (), tuple(explanation.probabilities)
    )


def space_of(explanation: Explanation, loaded: ConceptSpace) -> ConceptSpace:
    """The names to show it with: titles of the loaded model, where it speaks of the same things."""
    own = own_space(explanation)
    if _names(own) == _names(loaded):
        return loaded
    return ConceptSpace(own.concepts, own.states, own.labels, loaded.titles, loaded.label_titles)


def origin(explanation: Explanation, fingerprint: str) -> str:
    """Whether the model now loaded made it."""
    if explanation.fingerprint == fingerprint:
        return "Opened from a file. It was made by the model loaded here."
    return (
        f"Opened from a file. It was made by another model, {explanation.model} "
        f"({explanation.fingerprint}), and is shown as saved. Press Explain to ask the model loaded here."
    )


def _names(space: ConceptSpace) -> tuple[set[str], set[str], set[str]]:
    return set(space.concepts), set(space.states), set(space.labels)

"""Explain: one review, its label, and how the label came about."""

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.explain.tokens.registry import METHODS
from ui import answer, correct, downloads, how, loader, masks, parts, review_form
from ui.examples import examples_for
from ui.state import current, read_address, write_address

state = current()
card = parts.model_card()
examples = examples_for(card.space.concepts)
read_address(state, "explain", examples, card.space.concepts, METHODS)

parts.title("Why this label?", card.name)
left, right = st.columns([1.05, 1], gap="medium")
with left:
    count = review_form.show(state, examples)
with right:
    box = st.container(border=True, height="stretch", key="answer")
write_address(state)

if not state.text.strip():
    with box:
        answer.hint("Write or paste a review, or choose an example, and press Explain.")
    st.stop()

with box, st.spinner("Loading the model…"):
    try:
        model = loader.model(card)
    except SparseCBMError as error:
        parts.model_problem(error)
    try:
        explanation = loader.read(model, state.text)
    except SparseCBMError as error:
        answer.hint(f"This text cannot be explained: {error}.")
        st.stop()

key = (model.fingerprint, state.text, state.method)
ready = state.scored == key
if ready:
    explanation = loader.read_words(model, state.text, state.method)
space = model.space

with box:
    answer.show(explanation, space)
review_form.show_count(count, explanation)

how.show(state, model, explanation)
correct.show(state, model, explanation)
masks.show(state, model, explanation)
downloads.show(explanation, space)

if not ready:
    loader.read_words(model, state.text, state.method)
    state.scored = key
    st.rerun()

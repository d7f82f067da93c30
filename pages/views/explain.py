"""Explain: one review, its label, and how the label came about."""

from typing import NoReturn

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.explain.tokens.registry import METHODS
from ui import announce, answer, correct, downloads, how, loader, masks, parts, review_form, saved, sentence
from ui.examples import examples_for
from ui.pathway import WAITING
from ui.state import current, read_address, write_address

state = current()
card = parts.model_card()
examples = examples_for(card.space.concepts)
read_address(state, "explain", examples, card.space.concepts, METHODS)

parts.title("Why this label?", card)
said = st.container(key="said")
left, right = st.columns([1.05, 1], gap="medium")
with left:
    count = review_form.show(state, examples)
with right:
    box = st.container(border=True, height="stretch", key="answer")
write_address(state)


def stop(text: str) -> NoReturn:
    """Nothing to explain: say why, and leave the rest of the page away."""
    with box:
        answer.hint(text)
    with said:
        announce.say(text)
    saved.show_upload(state)
    st.stop()


if not state.text.strip():
    stop("Write or paste a review, or choose an example, and press Explain.")

with box, st.spinner("Loading the model…"):
    try:
        loaded = loader.model(card)
    except SparseCBMError as error:
        parts.model_problem(error)
    known = state.saved or loader.known_words(loaded, state.text, state.method)
    if known is None:
        try:
            explanation = loader.read(loaded, state.text)
        except SparseCBMError as error:
            stop(f"This text cannot be explained: {error}.")
    else:
        explanation = known

# An explanation from a file may be another model's: then there is nothing to correct and no subnetwork.
space = loaded.space if state.saved is None else saved.space_of(state.saved, loaded.space)
model = loaded if space is loaded.space and explanation.fingerprint == loaded.fingerprint else None
concept = state.selected(explanation, space)
result = loader.override(model, explanation, state.overrides) if model and state.overrides else None

with box:
    answer.show(explanation, space, saved.origin(explanation, loaded.fingerprint) if state.saved else None)
with said:
    verdict = "" if result is None else f" With your change: {correct.verdict(result, space)}"
    announce.say(sentence.plain(sentence.answer(explanation, space)) + verdict)
review_form.show_count(count, explanation)

place = how.show(state, model, explanation, space, concept)
if model is not None:
    correct.show(state, explanation, space, result)
    masks.show(model, concept)
title = card.title if model is not None else explanation.model
downloads.show(state, title, model, explanation, space, result)

if known is None:
    bar = place.progress(0.0, WAITING)

    def show_progress(share: float) -> None:
        bar.progress(share, WAITING)

    loader.read_words(loaded, state.text, state.method, show_progress)
    st.rerun()

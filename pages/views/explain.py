"""Explain: one review, its label, how the label came about, and a correction of what is wrong in it."""

from typing import NoReturn

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.explain.tokens.registry import METHODS
from sparsecbm_core.session.corrected import holding
from ui.correct import corrected, override, states
from ui.explain import answer, downloads, how, mask_changes, review_form, saved
from ui.frame import announce, model_in_use, picker
from ui.frame.address import read_address, write_address
from ui.resources import guard_reviews, loader, memory
from ui.resources.examples import examples_for
from ui.resources.session import guard_of, model_now
from ui.state import current
from ui.widgets import parts, subnetworks

state = current()
models = parts.models()
card = read_address(state, "explain", models, METHODS)
examples = examples_for(card.space.concepts)

picker.title("Why this label?", state, models, card)
in_use = st.empty()
offer = st.empty()
said = st.container(key="said")
left, right = st.columns([1.05, 1], gap="medium")
with left:
    count = review_form.show(state, examples, guard_reviews.known_texts(card.space))
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
        base = loader.model(card)
        held = holding(state.history.corrections, state.text)
        loaded = model_now(base, held)
    except SparseCBMError as error:
        parts.model_problem(error)
    known = state.saved or loader.known_words(loaded, state.text, state.method, whole=False)
    if known is None:
        try:
            explanation = loader.read(loaded, state.text)
        except SparseCBMError as error:
            stop(f"This text cannot be explained: {error}.")
    else:
        explanation = known

model_in_use.show(in_use, state.history.corrections, held)

# An explanation from a file may be another model's: then there is nothing to correct and no subnetwork.
space = loaded.space if state.saved is None else saved.space_of(state.saved, loaded.space)
model = loaded if space is loaded.space and explanation.fingerprint == loaded.fingerprint else None
concept = state.selected(explanation, space)
by_hand = model is not None and (model.masks is None or state.settings.rule == override.RULE)
result = (
    loader.override(model, explanation, state.overrides) if model and by_hand and state.overrides else None
)
correction = corrected.shown(state)

with box:
    answer.show(explanation, space, saved.origin(explanation, loaded.fingerprint) if state.saved else None)
with said:
    announce.say(corrected.spoken(state, explanation, space, result))
review_form.show_count(count, explanation)

# Sections in places of their own: a click in one is found again, however much another shows by then.
way, correcting, weights = (st.container() for _ in range(3))
with way:
    place = how.show(state, model, explanation, space, concept)
if model is not None:
    guard = guard_of(card, state.guard_reviews)
    with correcting:
        if by_hand:
            override.show(state, explanation, space, result)
            if model.masks is not None:
                states.how_to(state, base, guard, space)
        else:
            states.show(state, base, guard, explanation, space)
    with weights:
        mask_changes.show(base, model, concept)
        subnetworks.show(model, concept)
title = card.title if model is not None else explanation.model
made = corrected.in_force(state)
own_step = made if made is not None and not by_hand and made.text == explanation.text else None
missing = () if state.saved else explanation.unscored
files = downloads.show(state, title, model, explanation, space, result, own_step, waiting=bool(missing))
model_in_use.offer(state, offer, base.fingerprint)

# The words of the concept that is looked at first, those of the others while a person reads.
if concept in missing:
    how.find_words(place, loaded, state, concept)
if missing:
    files.fill(loader.read_words(loaded, state.text, state.method, files.show_progress))
    memory.give_back()

"""Explain: one review, its label, how the label came about, and a correction of what is wrong in it."""

import streamlit as st

from ui.correct import correcting
from ui.explain import answer, downloads, how, mask_changes, reading, review_form
from ui.frame import announce, app, model_in_use, pages
from ui.widgets import subnetworks

state, card, _ = app.begin(pages.EXPLAIN, "Why this label?")
top = reading.top(state, card)
read = reading.read(state, card, top)
base, model, explanation, space = read.base, read.model, read.explanation, read.space
result = correcting.by_hand(state, model, explanation)

with top.box:
    answer.show(explanation, space, read.origin)
    if model is not None:
        correcting.lead_to("Wrong? Correct it", read.concept, "to_correction")
if model is not None:
    with top.skip:
        correcting.lead_to("Skip to the correction", read.concept, "skip_to_correction")
with top.said:
    announce.say(correcting.spoken(explanation, space, result))
review_form.show_count(top.count, explanation)

# Sections in places of their own: a click in one is found again, however much another shows by then.
way, correction, weights = st.container(), st.container(key=correcting.PLACE), st.container()
with way:
    place = how.show(
        state, model, explanation, space, read.concept, correcting.asking(state, model, explanation)
    )
if model is not None:
    with correction:
        correcting.show(state, card, base, model, explanation, space, result)
    with weights:
        mask_changes.show(base, model, read.concept)
        subnetworks.show(model, read.concept)
files = downloads.show(state, read, correcting.reported(state, card, model, explanation, space, result))
model_in_use.offer(state, top.offer, base.fingerprint)
downloads.find_missing(state, read, place, files)

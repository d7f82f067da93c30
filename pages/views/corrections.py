"""Corrections: those of this session, those that were kept, and what they do to other reviews."""

import streamlit as st

from ui.corrections import kept_list, page
from ui.frame import picker
from ui.frame.address import MODEL, read_model, write_address
from ui.state import current
from ui.widgets import parts

state = current()
models = parts.models()
card = read_model(state, "corrections", models)
if state.corrections.leave:
    state.corrections.leave = False
    st.switch_page(kept_list.EXPLAIN_PAGE)
write_address(state, MODEL)
picker.title("Corrections", state, models, card)
page.show(state, card, models)

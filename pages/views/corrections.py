"""Corrections: those of this session, those that were kept, and what they do to other reviews."""

import streamlit as st

from ui import ledger_list, ledger_page, parts, picker
from ui.address import MODEL, read_model, write_address
from ui.state import current

state = current()
models = parts.models()
card = read_model(state, "corrections", models)
if state.corrections.leave:
    state.corrections.leave = False
    st.switch_page(ledger_list.EXPLAIN_PAGE)
write_address(state, MODEL)
picker.title("Corrections", state, models, card)
ledger_page.show(state, card, models)

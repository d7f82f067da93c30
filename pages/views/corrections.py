"""Corrections: those of this session, those that were kept, and what they do to other reviews."""

import streamlit as st

from ui import ledger_list, ledger_page, parts
from ui.state import current

state = current()
state.page = "corrections"
if state.corrections.leave:
    state.corrections.leave = False
    st.switch_page(ledger_list.EXPLAIN_PAGE)
info = parts.model_card()
parts.title("Corrections", info)
ledger_page.show(state, info)

"""Three views: attention, plain concept bottleneck and sparse pathway of one review, side by side."""

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.explain.tokens.registry import METHODS
from ui.frame import picker
from ui.frame.address import read_address, write_address
from ui.state import current
from ui.three_views import page
from ui.widgets import parts
from ui.widgets.text import plain

state = current()
models = parts.models()
card = read_address(state, "three_views", models, METHODS)
write_address(state)

picker.title("Three views", state, models, card)
parts.lead(page.LEAD)
in_use = st.empty()
said = st.container(key="said")
if not state.text.strip():
    page.hint(page.EMPTY, said)
    st.stop()
base = parts.load(card)
try:
    page.show(state, card, base, in_use, said)
except SparseCBMError as error:
    st.error(plain(f"The three views cannot be shown: {error}"))

"""Masks: which weights each concept uses, before and after corrections."""

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.explain.tokens.registry import METHODS
from ui.frame import picker
from ui.frame.address import read_address, write_address
from ui.masks import page
from ui.state import current
from ui.widgets import parts
from ui.widgets.text import plain

state = current()
models = parts.models()
card = read_address(state, "masks", models, METHODS)
write_address(state)

picker.title("Masks", state, models, card)
base = parts.load(card)
try:
    page.show(state, base)
except SparseCBMError as error:
    st.error(plain(f"The masks cannot be shown: {error}"))

"""Masks: which weights each concept uses, before and after corrections."""

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.explain.tokens.registry import METHODS
from ui import loader, mask_page, parts
from ui.examples import examples_for
from ui.state import current, read_address, write_address
from ui.text import plain

state = current()
card = parts.model_card()
space = card.space
read_address(state, "masks", examples_for(space.concepts), space.concepts, METHODS)
write_address(state)

parts.title("Masks", card)
with st.spinner("Loading the model…"):
    try:
        base = loader.model(card)
    except SparseCBMError as error:
        parts.model_problem(error)
try:
    mask_page.show(state, base)
except SparseCBMError as error:
    st.error(plain(f"The masks cannot be shown: {error}"))

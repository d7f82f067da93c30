"""Draw the page again, without overtaking what a person just pressed."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st


def page() -> NoReturn:
    """Run the page again: the one that was asked for in the meantime, or else the one that is shown.

    `streamlit.rerun` names the page of the present run and takes the place of a request that waits: a link
    to another page, pressed a moment before, would be lost. Whatever is written to the page lets a waiting
    request go first.
    """
    st.empty()
    st.rerun()

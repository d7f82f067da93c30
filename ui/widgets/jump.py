"""A button that leads to another part of the page at once, without a run of it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

from ui.resources.assets import ASSETS

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer


def button(label: str, place: str, focus: str, key: str) -> None:
    """Brings the container with the key ``place`` into view, and the focus to the choice in the one with the
    key ``focus``."""
    data = {"label": label, "place": place, "focus": focus}
    _component()(data=data, key=key, height="content", width="content")


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "sparsecbm_jump",
        html='<button type="button"></button>',
        css=(ASSETS / "jump.css").read_text(encoding="utf-8"),
        js=(ASSETS / "jump.js").read_text(encoding="utf-8"),
    )

"""What a screen reader says when there is a result, and what comes into view with it.

A region that stays on the page while its text changes: a status that is drawn anew with its text is often not
read out, so it cannot be part of what is drawn.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

from ui.resources.assets import ASSETS

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

UNSEEN = """
[role=status] {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}
"""


def say(text: str, key: str = "announcer", place: str = "", turn: int = 0) -> None:
    """``text`` is read out where it is another than before; the container with the key ``place`` is brought
    into view where ``turn`` is another."""
    _component()(data={"text": text, "place": place, "turn": turn}, key=key, height="content")


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "sparsecbm_status",
        html='<div role="status"></div>',
        css=UNSEEN,
        js=(ASSETS / "announce.js").read_text(encoding="utf-8"),
    )

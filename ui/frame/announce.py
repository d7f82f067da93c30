"""What a screen reader says when there is a result: one region that stays on the page while its text changes.

A status that is drawn anew with its text is often not read out, so it cannot be part of what is drawn.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

SCRIPT = """
export default function ({ data, parentElement }) {
  const status = parentElement.querySelector("[role=status]");
  if (status.textContent !== data.text) status.textContent = data.text;
}
"""
UNSEEN = """
[role=status] {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}
"""


def say(text: str) -> None:
    _component()(data={"text": text}, key="announcer", height="content")


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "sparsecbm_status", html='<div role="status"></div>', css=UNSEEN, js=SCRIPT
    )

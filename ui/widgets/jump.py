"""A button that leads to another part of the page at once, without a run of it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

# Keys become classes as Streamlit makes them: anything but letters, digits, "_" and "-" is a "-".
SCRIPT = """
export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  button.textContent = data.label;
  button.onclick = () => {
    const find = (key) => document.querySelector(`.st-key-${key.trim().replace(/[^a-zA-Z0-9_-]/g, "-")}`);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    find(data.place)?.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
    const group = find(data.focus) ?? find(data.place);
    const choice = group?.querySelector('[aria-checked="true"]') ?? group?.querySelector("button");
    choice?.focus({ preventScroll: true });
  };
}
"""
STYLE = """
button {
  padding: 0.2rem 0;
  border: 0;
  background: none;
  color: var(--st-link-color);
  font: 600 0.95rem/1.5 var(--st-font);
  text-decoration: underline;
  text-underline-offset: 3px;
  cursor: pointer;
}
button:focus-visible {
  outline: 2px solid currentColor;
  outline-offset: 2px;
  background: var(--st-background-color);
}
"""


def button(label: str, place: str, focus: str, key: str) -> None:
    """Brings the container with the key ``place`` into view, and the focus to the choice in the one with the
    key ``focus``."""
    data = {"label": label, "place": place, "focus": focus}
    _component()(data=data, key=key, height="content", width="content")


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "sparsecbm_jump", html='<button type="button"></button>', css=STYLE, js=SCRIPT
    )

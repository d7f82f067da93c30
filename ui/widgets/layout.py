"""Headings, and lines of text in the sizes that every page uses."""

from __future__ import annotations

from html import escape

import streamlit as st

from ui.text import plain


def section(text: str, about: str | None = None, help: str | None = None) -> None:
    """A heading with room above it and one line under it. ``text`` may hold names from a model."""
    st.space("small")
    st.header(plain(text), anchor=False, help=help)
    if about:
        lead(about)


def subsection(text: str, about: str | None = None, help: str | None = None) -> None:
    """A smaller heading inside a section, with one line under it."""
    st.subheader(plain(text), anchor=False, help=help)
    if about:
        caption(about)


def lead(text: str) -> None:
    st.html(f'<p class="sc-lead">{escape(text)}</p>')


def caption(text: str) -> None:
    st.html(f'<p class="sc-note">{escape(text)}</p>')


def hint(text: str) -> None:
    """What to do where there is nothing to explain."""
    st.html(f'<div class="answer"><p class="sc-hint">{escape(text)}</p></div>')

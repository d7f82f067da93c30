"""A button that saves a file."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui.text import plain

CSV, JSON, HTML, SVG = "text/csv", "application/json", "text/html", "image/svg+xml"


def download(
    label: str,
    data: Callable[[], str | bytes],
    name: str,
    kind: str = CSV,
    disabled: bool = False,
    waiting: bool = False,
) -> None:
    """The file is made only when the button is pressed.

    ``waiting`` for what goes into the file, the button is another one, which cannot be pressed: the real one
    can take its place on the same page.
    """
    st.download_button(
        plain(label),
        data,
        name,
        kind,
        key=f"waiting-{name}" if waiting else f"download-{name}",
        on_click="ignore",
        icon=":material/download:",
        disabled=disabled or waiting,
    )

"""Small parts that every page uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NoReturn

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from ui import loader
from ui.exports import csv_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

# A picture button and nothing else; no zooming in what is read like a page.
CHART = {"displaylogo": False, "displayModeBar": False, "scrollZoom": False}
FULL_TABLE = 12


def title(text: str, pill: str | None = None) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(text, anchor=False)
        if pill:
            st.html(f'<span class="pill">{escape(pill)}</span>', width="content")


def section(text: str, about: str | None = None, help: str | None = None) -> None:
    """A heading with room above it and one line under it."""
    st.space("small")
    st.header(text, anchor=False, help=help)
    if about:
        lead(about)


def subsection(text: str, about: str | None = None, help: str | None = None) -> None:
    """A smaller heading inside a section, with one line under it."""
    st.subheader(text, anchor=False, help=help)
    if about:
        caption(about)


def lead(text: str) -> None:
    st.html(f'<p class="lead">{escape(text)}</p>')


def caption(text: str) -> None:
    st.html(f'<p class="note">{escape(text)}</p>')


def chart(
    figure: go.Figure,
    rows: Sequence[Mapping[str, Any]],
    name: str,
    alt: str,
    what: str = "The numbers",
) -> None:
    """A chart with its numbers under it, to read and to save; ``alt`` says what it shows."""
    height = int(figure.layout.height or 300)
    st.plotly_chart(figure, width="stretch", height=height, key=f"chart-{name}", config=CHART, alt=alt)
    table(rows, name, what)


def table(
    rows: Sequence[Mapping[str, Any]],
    name: str,
    what: str = "The numbers",
) -> None:
    """Rows behind a click: as a table, and as a CSV file in full precision."""
    with st.expander(what, type="compact"):
        st.html(table_html(rows))
        st.download_button(
            "Save as CSV",
            lambda: csv_text(rows),
            f"{name}.csv",
            "text/csv",
            key=f"csv-{name}",
            on_click="ignore",
            icon=":material/download:",
        )


def table_html(rows: Sequence[Mapping[str, Any]]) -> str:
    """A real table: readable without a mouse, numbers to the right."""
    if not rows:
        return '<p class="note">Nothing to show.</p>'
    names = list(rows[0])
    numeric = {name for name in names if all(isinstance(row[name], int | float) for row in rows)}
    head = "".join(
        f'<th scope="col"{_right(name in numeric)}>{escape(_heading(name))}</th>' for name in names
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{_right(name in numeric)}>{escape(_shown(row[name]))}</td>" for name in names)
        + "</tr>"
        for row in rows
    )
    scroll = ' tabindex="0" role="region" aria-label="Table"' if len(rows) > FULL_TABLE else ""
    return (
        f'<div class="scroll"{scroll}><table class="numbers"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _right(numeric: bool) -> str:
    return ' class="right"' if numeric else ""


def _heading(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "–" if value is None else str(value)
    if isinstance(value, float):
        return f"{value:.4f}".replace("-", "−")
    return f"{value:,}" if isinstance(value, int) else str(value)


def model_card() -> loader.ModelCard:
    """The model's records; where there is none, one clear message and nothing else."""
    try:
        return loader.card()
    except SparseCBMError as error:
        model_problem(error)


def model_problem(error: SparseCBMError) -> NoReturn:
    st.error(
        f"**The model cannot be loaded.** {_markdown_safe(str(error))}\n\n"
        f"Put a model folder there, or name another one in the environment variable "
        f"`{loader.VARIABLE}` and start the app again.",
        icon=":material/error:",
    )
    st.stop()


def _markdown_safe(text: str) -> str:
    """Text that Markdown leaves alone: file names hold underscores."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()#+-.!|<>~$:" else sign for sign in text)

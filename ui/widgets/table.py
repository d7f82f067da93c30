"""Rows as a real table: readable without a mouse, numbers to the right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from sparsecbm_core.figures import precise_percent
from ui.text import plain
from ui.widgets.download import SVG, download
from ui.widgets.exports import csv_bytes

# More than these may have to be scrolled, and so must be in reach of the keyboard.
FULL_ROWS, FULL_COLUMNS = 12, 4
Row = Mapping[str, Any]
FileRows = Sequence[Row] | Callable[[], Sequence[Row]] | None


def table(
    rows: Sequence[Row],
    name: str,
    caption: str,
    what: str = "The numbers",
    percents: Sequence[str] = (),
    total: Row | None = None,
    file_rows: FileRows = None,
    picture: Callable[[], bytes] | None = None,
) -> None:
    """Rows behind a click: as a table, and as a CSV file in full precision; with the SVG ``picture`` of them
    where there is one.

    Columns in ``percents`` are shares. ``total`` is a last row that the file leaves out; ``file_rows``
    replace the rows in the file where it says more: rows, or what makes them when the file is asked for.
    """

    def in_file() -> Sequence[Row]:
        return rows if file_rows is None else file_rows() if callable(file_rows) else file_rows

    with st.expander(plain(what), type="compact"):
        st.html(table_html(rows, caption, percents, total))
        with st.container(horizontal=True):
            download("Save as CSV", lambda: csv_bytes(in_file()), f"{name}.csv")
            if picture is not None:
                download("Save as SVG", picture, f"{name}.svg", SVG)


def table_html(
    rows: Sequence[Row], caption: str, percents: Collection[str] = (), total: Row | None = None
) -> str:
    """``caption`` names the table to those who do not see it; ``percents`` are columns of shares."""
    if not rows:
        return '<p class="sc-note">Nothing to show.</p>'
    names = list(rows[0])
    numeric = {name for name in names if all(isinstance(row[name], int | float) for row in rows)}

    def cells(row: Row) -> str:
        return "".join(
            f"<td{_right(name in numeric)}>{escape(_shown(row.get(name, ''), name in percents))}</td>"
            for name in names
        )

    head = "".join(
        f'<th scope="col"{_right(name in numeric)}>{escape(_heading(name))}</th>' for name in names
    )
    body = "".join(f"<tr>{cells(row)}</tr>" for row in rows)
    foot = f"<tfoot><tr>{cells(total)}</tr></tfoot>" if total is not None else ""
    name = escape(caption)
    large = len(rows) > FULL_ROWS or len(names) > FULL_COLUMNS
    scroll = f' tabindex="0" role="region" aria-label="{name}"' if large else ""
    return (
        f'<div class="sc-scroll"{scroll}><table class="sc-numbers" aria-label="{name}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table></div>"
    )


def _right(numeric: bool) -> str:
    return ' class="sc-right"' if numeric else ""


def _heading(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def _shown(value: Any, share: bool) -> str:
    if isinstance(value, bool) or value is None:
        return "–" if value is None else str(value)
    if isinstance(value, int | float) and share:
        return precise_percent(value)
    if isinstance(value, float):
        return f"{value:.4f}".replace("-", "−")
    return f"{value:,}" if isinstance(value, int) else str(value)

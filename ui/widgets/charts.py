"""A chart, and under it the numbers that it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.figures.still import svg
from ui.widgets.table import FileRows, Row, table

if TYPE_CHECKING:
    import plotly.graph_objects as go


def chart(
    figure: go.Figure,
    rows: Sequence[Row],
    name: str,
    alt: str,
    what: str = "The numbers",
    percents: Sequence[str] = (),
    total: Row | None = None,
    file_rows: FileRows = None,
    on_pick: Callable[[Sequence[Any]], None] | None = None,
) -> None:
    """A chart with its numbers under it, to read and to save; ``alt`` says what it shows.

    Its own button saves it as a PNG picture, one beside the numbers as SVG. ``on_pick`` gets the custom data
    of a point that was clicked: the same must be possible without a mouse. See `table` for the rest.
    """
    height = int(figure.layout.height or 300)
    config = {
        "displaylogo": False,
        "displayModeBar": "hover",
        "scrollZoom": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "scale": 2, "filename": name, "setBackground": "opaque"},
    }
    key = f"chart-{name}"
    st.plotly_chart(
        figure,
        width="stretch",
        height=height,
        key=key,
        config=config,
        alt=alt,
        on_select="ignore" if on_pick is None else partial(_picked, key, on_pick),
        selection_mode="points",
    )
    table(rows, name, alt, what, percents, total, file_rows, lambda: svg(figure, alt).encode())


def _picked(key: str, on_pick: Callable[[Sequence[Any]], None]) -> None:
    """Clicking the same point again takes the selection back: nothing is chosen by that."""
    points = st.session_state[key]["selection"]["points"]
    if points and "customdata" in points[0]:
        on_pick(points[0]["customdata"])

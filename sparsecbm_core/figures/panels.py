"""What figures of several plots have in common: places, the look of a series, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.figures.look import plain, safe

if TYPE_CHECKING:
    import plotly.graph_objects as go

PANEL_HEIGHT, GAP = 330, 0.11
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "triangle-down")
Place = dict[str, int]


def panel_grid(titles: Sequence[str]) -> tuple[go.Figure, list[Place]]:
    """An empty figure of a plot for each title, two a row, and where each of them is."""
    from plotly.subplots import make_subplots

    columns = min(2, len(titles))
    rows = -(-len(titles) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[safe(title) for title in titles],
        horizontal_spacing=GAP,
        vertical_spacing=2 * GAP * 1.6 / rows if rows > 1 else 0,
    )
    plain(figure, 0, legend=True)
    figure.update_layout(height=PANEL_HEIGHT * rows + 70, margin={"l": 8, "r": 16, "t": 84, "b": 8})
    figure.update_layout(legend={"y": 1, "yref": "container", "yanchor": "top"})
    places = [{"row": number // columns + 1, "col": number % columns + 1} for number in range(len(titles))]
    return figure, places


def series_look(name: str, index: int, colors: Sequence[str], legend: bool, size: int) -> dict[str, Any]:
    """Name, line and marks of a series: each ``index`` has a colour, a dash and a mark of its own."""
    color = colors[index % len(colors)]
    return {
        "name": safe(name),
        "legendgroup": name,
        "showlegend": legend,
        "line": {"color": color, "dash": DASHES[index % len(DASHES)], "width": 2},
        "marker": {"symbol": SYMBOLS[index % len(SYMBOLS)], "size": size, "color": color},
    }


def interval_bars(
    values: Sequence[float | None],
    lows: Sequence[float | None],
    highs: Sequence[float | None],
    width: float = 3,
    thickness: float = 1.2,
) -> dict[str, Any] | None:
    """Error bars from each value to the ends of its interval; None where no interval has any width."""
    if not lows or not highs:
        return None
    sides = [
        (0.0, 0.0) if value is None or low is None or high is None else (high - value, value - low)
        for value, low, high in zip(values, lows, highs, strict=True)
    ]
    if not any(up or down for up, down in sides):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [up for up, _ in sides],
        "arrayminus": [down for _, down in sides],
        "width": width,
        "thickness": thickness,
    }

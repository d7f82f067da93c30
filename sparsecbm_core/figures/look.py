"""The look all figures share.

The two pairs of colours stand apart for colour-blind readers and reach 3 to 1 on white and on near-black, so
a figure needs no theme; whatever speaks against, or costs, is hatched as well, and every bar carries its
number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

FOR, AGAINST, NEUTRAL, INK = "#3B78D8", "#D0583A", "#8A94A3", "#111318"
LIFTS, COSTS = "#1C8C74", "#A9701B"  # of the answer: not to be taken for what speaks for a state
ROW = 40  # pixels a bar takes
# Of a matrix of cells; the second is pale enough for letters of either theme on top.
DENSITY_SCALE = ((0.0, "rgba(59, 120, 216, 0.04)"), (1.0, "rgba(59, 120, 216, 1)"))
PALE_SCALE = ((0.0, "rgba(59, 120, 216, 0.04)"), (1.0, "rgba(59, 120, 216, 0.5)"))
DENSITY_BAR = {
    "orientation": "h",
    "x": 0,
    "xanchor": "left",
    "y": 0,
    "yanchor": "top",
    "len": 0.6,
    "thickness": 8,
    "ticksuffix": " %",
    "tickfont": {"size": 12, "color": INK},
    "outlinewidth": 0,
    "nticks": 4,
}


def hatched(shape: str | Sequence[str]) -> dict[str, Any]:
    """Pale hatching over a bar's colour; "" is none."""
    return {
        "shape": shape,
        "fillmode": "overlay",
        "fgcolor": "rgba(255, 255, 255, 0.6)",
        "size": 7,
        "solidity": 0.22,
    }


def axis_title(text: str, **more: Any) -> dict[str, Any]:
    """The title of an axis, as plotly wants it."""
    return {"text": safe(text), "font": {"size": 13, "color": INK}, **more}


def name_rows(figure: go.Figure, titles: Sequence[str]) -> None:
    """Rows 0, 1, … from the top, each with its title."""
    figure.update_yaxes(
        tickvals=list(range(len(titles))), ticktext=list(map(safe, titles)), range=[len(titles) - 0.5, -0.5]
    )


def name_matrices(
    figure: go.Figure, layers: Sequence[int], roles: Sequence[str], cells: tuple[int, int]
) -> None:
    """A row for each layer and a column for each role, of so many ``cells`` (down, across) each."""
    down, across = cells
    figure.update_xaxes(
        tickvals=[(j + 0.5) * across - 0.5 for j in range(len(roles))],
        ticktext=[re.sub("(?<=-)| ", "<br>", safe(role)) for role in roles],
        side="top",
        tickangle=0,
        range=[-0.5, len(roles) * across - 0.5],
    )
    figure.update_yaxes(
        tickvals=[(i + 0.5) * down - 0.5 for i in range(len(layers))],
        ticktext=[str(layer + 1) for layer in layers],
        title=axis_title("Layer", standoff=6),
        range=[len(layers) * down - 0.5, -0.5],
    )


def safe(title: str) -> str:
    """A title as plotly writes it: its own tags and entities would be read as such."""
    return escape(title, quote=False)


def line(start: tuple[float, float], end: tuple[float, float], dash: str = "solid") -> dict[str, Any]:
    """A thin grey line between two points, as plotly's shape."""
    return {
        "type": "line",
        "x0": start[0],
        "y0": start[1],
        "x1": end[0],
        "y1": end[1],
        "line": {"color": NEUTRAL, "width": 1, "dash": dash},
    }


def plain(figure: go.Figure, rows: int, legend: bool = False) -> None:
    """No grid, no frame, no margins beyond what the labels take.

    Letters are dark, for a picture on white; on a page the style sheet gives them the theme's colour.
    """
    # Set one by one: plotly's own `update_layout` takes six times as long, most of a page's time.
    layout = {
        "height": ROW * rows + (52 if legend else 16),
        # On the right there is room for the number of the longest bar.
        "margin": {"l": 8, "r": 64, "t": 36 if legend else 8, "b": 8},
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "yref": "paper",
            "font": {"color": INK},
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "bargap": 0.3,
        "font": {"size": 14, "color": INK},
        "dragmode": False,
    }
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True, "automargin": True}
    across = {**axis, "tickfont": {"color": INK}}
    down = {**axis, "ticks": "", "showline": False, "tickfont": {"size": 13.5, "color": INK}}
    _set(figure.layout, layout)
    for found in figure.select_xaxes():
        _set(found, across)
    for found in figure.select_yaxes():
        _set(found, down)


def _set(part: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        part[name] = value

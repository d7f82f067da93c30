"""The look all figures share.

The two colours stand apart for colour-blind readers and reach 3 to 1 on white and on near-black, so a
figure needs no theme; whatever speaks against is hatched as well, and every bar carries its number.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

FOR, AGAINST, NEUTRAL, INK = "#3B78D8", "#D0583A", "#8A94A3", "#111318"
ROW = 40  # pixels a bar takes


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
    figure.update_layout(
        height=ROW * rows + (52 if legend else 16),
        # On the right there is room for the number of the longest bar.
        margin={"l": 8, "r": 64, "t": 36 if legend else 8, "b": 8},
        showlegend=legend,
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "yref": "paper",
            "font": {"color": INK},
        },
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        bargap=0.3,
        font={"size": 14, "color": INK},
        dragmode=False,
    )
    figure.update_xaxes(showgrid=False, zeroline=False, fixedrange=True, automargin=True, tickfont_color=INK)
    figure.update_yaxes(
        showgrid=False,
        zeroline=False,
        fixedrange=True,
        automargin=True,
        ticks="",
        showline=False,
        tickfont={"size": 13.5, "color": INK},
    )

"""Bars with their numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sparsecbm_core.figures.look import FOR, INK, NEUTRAL, plain, safe
from sparsecbm_core.figures.numbers import percent, precise_percent

if TYPE_CHECKING:
    import plotly.graph_objects as go


def paired_bars(
    titles: Sequence[str],
    first: tuple[str, Sequence[float]],
    second: tuple[str, Sequence[float]],
    colors: tuple[str, str] = (FOR, NEUTRAL),
    decimals: bool = False,
) -> go.Figure:
    """Two shares per title, one above the other, each with its number; series are (name, values)."""
    import plotly.graph_objects as go

    positions, write = np.arange(len(titles)), precise_percent if decimals else percent
    figure = go.Figure()
    for (name, values), color, shift in zip((first, second), colors, (-0.19, 0.19), strict=True):
        figure.add_bar(
            orientation="h",
            name=name,
            y=positions + shift,
            x=list(values),
            width=0.32,
            marker_color=color,
            text=[write(value) for value in values],
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 12, "color": INK},
            hoverinfo="skip",
        )
    plain(figure, len(positions), legend=True)
    figure.update_xaxes(visible=False, range=[0, max([0.01, *first[1], *second[1]])])
    figure.update_yaxes(
        tickvals=positions, ticktext=list(map(safe, titles)), range=[len(positions) - 0.5, -0.5]
    )
    return figure


def share_bars(
    titles: Sequence[str], shares: Sequence[float], colors: Sequence[str] | None = None
) -> go.Figure:
    """One bar per title, its share written beside it."""
    import plotly.graph_objects as go

    positions = list(range(len(titles)))
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=positions,
            x=list(shares),
            width=0.5,
            marker_color=list(colors) if colors else FOR,
            text=[precise_percent(share) for share in shares],
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 13, "color": INK},
            hoverinfo="skip",
        )
    )
    plain(figure, len(titles))
    figure.update_xaxes(visible=False, range=[0, max([0.01, *shares])])
    figure.update_yaxes(tickvals=positions, ticktext=list(map(safe, titles)), range=[len(titles) - 0.5, -0.5])
    return figure

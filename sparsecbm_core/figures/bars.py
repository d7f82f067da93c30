"""Bars with their numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsecbm_core.figures.look import AGAINST, FOR, INK, NEUTRAL, hatched, line, name_rows, plain, safe
from sparsecbm_core.figures.numbers import percent, precise_percent

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LOOKS = ((FOR, ""), (AGAINST, "/"), (NEUTRAL, ""), (INK, "x"))


def paired_bars(
    titles: Sequence[str],
    first: tuple[str, Sequence[float]],
    second: tuple[str, Sequence[float]],
    colors: tuple[str, str] = (FOR, NEUTRAL),
    decimals: bool = False,
) -> go.Figure:
    """Two shares per title, one above the other, each with its number; series are (name, values).

    >>> [bars.name for bars in paired_bars(["food"], ("before", [0.9]), ("after", [0.8])).data]
    ['before', 'after']
    """
    import plotly.graph_objects as go

    positions, write = np.arange(len(titles)), precise_percent if decimals else percent
    figure = go.Figure()
    for (name, values), color, shift in zip((first, second), colors, (-0.19, 0.19), strict=True):
        texts = [write(value) for value in values]
        _add(figure, values, texts, y=positions + shift, name=name, width=0.32, marker={"color": color})
    plain(figure, len(positions), legend=True)
    figure.update_xaxes(visible=False, range=[0, max([0.01, *first[1], *second[1]])])
    name_rows(figure, titles)
    return figure


def grouped_bars(
    titles: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], level: float | None = None
) -> go.Figure:
    """Up to four shares per title, each with its number, on a scale from 0 to 1; series are (name, values).

    Series differ in colour and hatching. ``level`` is drawn as a dotted line across all of them.

    >>> [bars.name for bars in grouped_bars(["food", "noise"], [("dense", [0.9, 0.8])], level=0.5).data]
    ['dense']
    """
    import plotly.graph_objects as go

    positions, step = np.arange(len(titles)), 0.84 / len(series)
    figure = go.Figure()
    for number, (name, values) in enumerate(series):
        color, hatch = _LOOKS[number]
        _add(
            figure,
            values,
            [percent(value) for value in values],
            y=positions + step * (number - (len(series) - 1) / 2),
            name=safe(name),
            width=0.86 * step,
            marker={"color": color, "pattern": hatched(hatch)},
        )
    plain(figure, len(titles), legend=True)
    figure.update_layout(height=27 * len(series) * len(titles) + 60, legend_traceorder="normal")
    if level is not None:
        figure.add_shape(line((level, -0.5), (level, len(titles) - 0.5), dash="dot"))
    figure.update_xaxes(visible=False, range=[0, 1])
    name_rows(figure, titles)
    return figure


def _add(
    figure: go.Figure, values: Sequence[float], texts: Sequence[str], size: int = 12, **bar: Any
) -> None:
    """A series of bars, each with its text beside it."""
    figure.add_bar(
        orientation="h",
        x=list(values),
        text=list(texts),
        textposition="outside",
        cliponaxis=False,
        textfont={"size": size, "color": INK},
        hoverinfo="skip",
        **bar,
    )


def share_bars(
    titles: Sequence[str], shares: Sequence[float], colors: Sequence[str] | None = None
) -> go.Figure:
    """One bar per title, its share written beside it.

    >>> share_bars(["food", "noise"], [0.25, 0.5]).data[0].type
    'bar'
    """
    import plotly.graph_objects as go

    positions = list(range(len(titles)))
    figure = go.Figure()
    marker = {"color": list(colors) if colors else FOR}
    _add(figure, shares, list(map(precise_percent, shares)), 13, y=positions, width=0.5, marker=marker)
    plain(figure, len(titles))
    figure.update_xaxes(visible=False, range=[0, max([0.01, *shares])])
    name_rows(figure, titles)
    return figure

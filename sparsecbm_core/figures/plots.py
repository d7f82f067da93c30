"""Small plots side by side, each with axes and a unit of its own: shares, counts or plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.figures.look import AGAINST, FOR, INK, NEUTRAL, axis_title, line, safe
from sparsecbm_core.figures.panels import Place, interval_bars, panel_grid, series_look

if TYPE_CHECKING:
    import plotly.graph_objects as go

# unit → how its axis and its points are written
FORMATS = {"share": ".1%", "count": ",.0f", "number": ".3~f"}
_COLORS = (FOR, AGAINST, NEUTRAL, INK)
AIR = 0.03  # of the span, beyond the first tick and the last
LEAST_STEP = {"share": 0.01, "count": 1.0, "number": 0.01}  # a difference of next to nothing is no landslide
FEW = 6  # ticks' distances on an axis at most


@dataclass(frozen=True)
class Series:
    """Points (x, y), joined by a line where they are ``joined``.

    ``low`` and ``high`` are the ends of an interval around each y (None where there is none); ``texts`` say
    what a point is when it is pointed at.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    texts: Sequence[str] = ()
    joined: bool = True


@dataclass(frozen=True)
class Plot:
    """One plot; ``unit`` is "share", "count" or "number", of its y. Series of the same name look alike in
    all plots, and plots of the same unit and y title have the same scale. ``zero`` draws a line at y = 0."""

    title: str
    series: Sequence[Series]
    x_title: str
    y_title: str
    unit: str = "share"
    zero: bool = False


def plots_figure(plots: Sequence[Plot], log_x: bool = False) -> go.Figure:
    """Plots two a row. Series differ in colour, dash and mark. `InputError` without a point to draw.

    >>> plot = Plot("restaurants", [Series("label", [0.5, 0.9], [0.8, 0.6])], "sparsity", "accuracy")
    >>> [series.name for series in plots_figure([plot]).data]
    ['label']
    """
    if not any(series.x for plot in plots for series in plot.series):
        raise InputError("there is no point to draw")
    names = list(dict.fromkeys(series.name for plot in plots for series in plot.series))
    figure, places = panel_grid([plot.title for plot in plots])
    shown: set[str] = set()
    scales: dict[tuple[str, str], list[float]] = {}
    for plot in plots:
        if plot.unit not in FORMATS:
            raise InputError(one_of(plot.unit, FORMATS, "unit"))
        scales.setdefault((plot.unit, plot.y_title), []).extend(_heights(plot))
    for plot, place in zip(plots, places, strict=True):
        for series in plot.series:
            _add(figure, plot, series, names.index(series.name), series.name not in shown, place)
            shown.add(series.name)
        _axes(figure, plot, scales[plot.unit, plot.y_title], log_x, place)
    return figure


def _add(figure: go.Figure, plot: Plot, series: Series, index: int, legend: bool, place: Place) -> None:
    texts = list(series.texts) or [f"{x:g}" for x in series.x]
    figure.add_scatter(
        x=list(series.x),
        y=list(series.y),
        error_y=interval_bars(series.y, series.low, series.high),
        mode="lines+markers" if series.joined else "markers",
        customdata=[safe(text) for text in texts],
        hovertemplate=f"%{{customdata}}: %{{y:{FORMATS[plot.unit]}}}<extra>{safe(series.name)}</extra>",
        cliponaxis=False,
        **series_look(series.name, index, _COLORS, legend, 7),
        **place,
    )


def _heights(plot: Plot) -> list[float]:
    """All that a plot's scale has to hold."""
    ys = [y for series in plot.series for y in (*series.y, *series.low, *series.high) if y is not None]
    return [*ys, 0.0] if plot.zero else ys


def _axes(figure: go.Figure, plot: Plot, ys: Sequence[float], log_x: bool, place: Place) -> None:
    """``ys`` are the heights of all plots that have this one's scale: it ends at a tick on both sides."""
    xs = sorted({x for series in plot.series for x in series.x})
    if log_x:
        ticks = {"type": "log", "tickvals": xs, "ticktext": [f"{x:g}" for x in xs], "tickangle": 0}
        figure.update_xaxes(**ticks, **place)
    figure.update_xaxes(title=axis_title(plot.x_title), **place)
    low, high = min(ys, default=0.0), max(ys, default=1.0)
    step = _step(high - low, LEAST_STEP[plot.unit])
    low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    if low == high:
        low -= step
    air = AIR * (high - low)
    figure.update_yaxes(
        title=axis_title(plot.y_title),
        range=[low - air, high + air],
        tickvals=[low + step * count for count in range(round((high - low) / step) + 1)],
        tickformat={"share": ".0%", "count": "~s", "number": "~g"}[plot.unit],
        **place,
    )
    if plot.zero and xs:
        figure.add_shape(line((xs[0], 0.0), (xs[-1], 0.0), "dot"), **place)


def _step(span: float, least: float) -> float:
    """1, 2 or 5 times a power of ten: the smallest that divides ``span`` into `FEW` parts at most."""
    power = 10.0 ** math.floor(math.log10(max(span / FEW, least)))
    return max(least, next(power * times for times in (1, 2, 5, 10) if power * times * FEW >= span - 1e-9))

"""Small plots side by side, each with axes and a unit of its own: shares, counts or plain numbers."""

from __future__ import annotations

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
AIR = 0.08  # of the span, on every side
SHARE_STEP = 0.01  # between two ticks at least: they are written as whole per cent
FEW = 6  # steps; plotly divides an axis with fewer of them more finely


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
    all plots. ``zero`` draws a line at y = 0."""

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
    for plot, place in zip(plots, places, strict=True):
        if plot.unit not in FORMATS:
            raise InputError(one_of(plot.unit, FORMATS, "unit"))
        for series in plot.series:
            _add(figure, plot, series, names.index(series.name), series.name not in shown, place)
            shown.add(series.name)
        _axes(figure, plot, log_x, place)
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


def _axes(figure: go.Figure, plot: Plot, log_x: bool, place: Place) -> None:
    xs = sorted({x for series in plot.series for x in series.x})
    ys = [y for series in plot.series for y in (*series.y, *series.low, *series.high) if y is not None]
    if log_x:
        ticks = {"type": "log", "tickvals": xs, "ticktext": [f"{x:g}" for x in xs], "tickangle": 0}
        figure.update_xaxes(**ticks, **place)
    figure.update_xaxes(title=axis_title(plot.x_title), **place)
    # A difference of next to nothing must not look like a landslide.
    least = {"share": 0.02, "count": 1.0, "number": 0.02}[plot.unit]
    low, high = min(ys, default=0.0), max(ys, default=1.0)
    if plot.zero:
        low, high = min(low, 0.0), max(high, 0.0)
    air = max(least, AIR * (high - low))
    top = high + air
    if plot.unit == "share" and high <= 1.0:
        top = min(top, 1.0 + least / 4)  # no share is more than the whole
    tick = {"share": ".0%", "count": "~s", "number": "~g"}[plot.unit]
    figure.update_yaxes(title=axis_title(plot.y_title), range=[low - air, top], tickformat=tick, **place)
    if plot.unit == "share" and top - low + air < FEW * SHARE_STEP:
        figure.update_yaxes(dtick=SHARE_STEP, **place)
    if plot.zero and xs:
        figure.add_shape(line((xs[0], 0.0), (xs[-1], 0.0), "dot"), **place)

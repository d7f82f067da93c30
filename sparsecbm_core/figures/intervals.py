"""Rows of measured figures with the ends of their intervals: how far each could move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures.look import AGAINST, FOR, INK, NEUTRAL, axis_title, line, name_rows, plain, safe
from sparsecbm_core.figures.numbers import precise_percent
from sparsecbm_core.figures.panels import interval_bars

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LOOKS = ((FOR, "circle"), (AGAINST, "diamond"), (NEUTRAL, "square"), (NEUTRAL, "triangle-up"))
ROW_HEIGHT, LEAST_SPAN = 24, 0.02  # pixels a figure takes; a difference of next to nothing is no landslide


@dataclass(frozen=True)
class Ranged:
    """One series: a figure for each row (None where there is none), and the ends of its interval if known."""

    name: str
    values: Sequence[float | None]
    lows: Sequence[float | None] = ()
    highs: Sequence[float | None] = ()


def intervals_figure(
    rows: Sequence[str],
    series: Sequence[Ranged],
    x_title: str,
    write: Callable[[float], str] = precise_percent,
    zero: bool = False,
) -> go.Figure:
    """A row for each title, a mark with its interval for each series, and the number behind it.

    ``write`` says how numbers are written, beside the marks and on the axis. ``zero`` draws a line at 0.
    `InputError` if nothing is known.

    >>> series = [Ranged("dense", [0.9, 0.8], [0.85, 0.7], [0.95, 0.9])]
    >>> intervals_figure(["food", "noise"], series, "accuracy").data[0].name
    'dense'
    """
    import plotly.graph_objects as go

    ends = [one for each in series for one in (*each.values, *each.lows, *each.highs) if one is not None]
    if not ends:
        raise InputError("there is no figure to draw")
    low, high = (min([*ends, 0.0]), max([*ends, 0.0])) if zero else (min(ends), max(ends))
    if high - low < LEAST_SPAN:
        low, high = (low + high - LEAST_SPAN) / 2, (low + high + LEAST_SPAN) / 2
    span = high - low
    figure, step = go.Figure(), min(0.3, 0.8 / len(series))
    for number, one in enumerate(series):
        color, symbol = _LOOKS[number % len(_LOOKS)]
        shift = step * (number - (len(series) - 1) / 2)
        y = [place + shift for place in range(len(rows))]
        figure.add_scatter(
            name=safe(one.name),
            x=list(one.values),
            y=y,
            error_x=interval_bars(one.values, one.lows, one.highs, 4, 1.5),
            mode="markers",
            marker={"symbol": symbol, "size": 8, "color": color},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[value if top is None else top for value, top in _pairs(one.values, one.highs)],
            y=y,
            mode="text",
            text=["" if value is None else f"\u2002{write(value)}" for value in one.values],
            textposition="middle right",
            textfont={"size": 12, "color": INK},
            cliponaxis=False,
            hoverinfo="skip",
            showlegend=False,
        )
    plain(figure, len(rows), legend=len(series) > 1)
    figure.update_layout(height=round(ROW_HEIGHT * len(series) * len(rows) * 1.15) + 110, margin_b=40)
    if zero:
        figure.update_layout(shapes=[line((0, -0.5), (0, len(rows) - 0.5), "dot")])
    ticks = _ticks(low, high)
    figure.update_xaxes(
        range=[low - 0.06 * span, high + 0.16 * span],
        tickvals=ticks,
        ticktext=[write(tick) for tick in ticks],
        tickangle=0,
        title=axis_title(x_title),
    )
    name_rows(figure, rows)
    return figure


def _pairs(
    values: Sequence[float | None], highs: Sequence[float | None]
) -> list[tuple[float | None, float | None]]:
    return list(zip(values, list(highs) or [None] * len(values), strict=True))


def _ticks(low: float, high: float) -> list[float]:
    """A handful of round numbers between two ends."""
    for step in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        first, last = -int(-low // step), int(high // step)
        if last - first < 6:
            return [round(step * place, 6) for place in range(first, last + 1)] or [low]
    return [low, high]

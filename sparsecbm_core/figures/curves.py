"""Measured shares against a dose, in one panel or several: lines with deviations, and levels beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures.look import AGAINST, FOR, INK, NEUTRAL, axis_title, safe
from sparsecbm_core.figures.numbers import precise_percent
from sparsecbm_core.figures.panels import DASHES, Place, panel_grid, series_look

if TYPE_CHECKING:
    import plotly.graph_objects as go

LEAST_SPAN = 0.02  # of a share, up and down: a single review must not look like a landslide
_PALETTE = (FOR, AGAINST, NEUTRAL)


@dataclass(frozen=True)
class Curve:
    """Shares ``y`` at ``x``, with a standard deviation each where there is one, and a word for each."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    std: Sequence[float | None] = ()
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Level:
    """A share that holds at every dose."""

    name: str
    y: float


@dataclass(frozen=True)
class Panel:
    """One plot. Curves of the same name look alike in all panels."""

    title: str
    curves: Sequence[Curve]
    levels: Sequence[Level] = ()


def curves_figure(panels: Sequence[Panel], x_title: str, y_title: str, log_x: bool = False) -> go.Figure:
    """Panels side by side, two a row, on one scale; ``log_x`` for doses of many sizes.

    Lines differ in colour, dash and mark, levels in their dash. Raises `InputError` without a point to draw,
    and for a dose that has no logarithm.

    >>> curves = [Curve("label", [0.5, 0.9], [0.8, 0.6])]
    >>> [curve.name for curve in curves_figure([Panel("restaurants", curves)], "sparsity", "accuracy").data]
    ['label']
    """
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    doses = sorted({x for panel in panels for curve in panel.curves for x in curve.x})
    if not doses:
        raise InputError("there is no point to draw")
    if log_x and doses[0] <= 0:
        raise InputError(f"doses on a log scale must be positive, got {doses[0]}")
    figure, places = panel_grid([panel.title for panel in panels])
    levels = list(dict.fromkeys(level.name for panel in panels for level in panel.levels))
    shown: set[str] = set()
    for panel, place in zip(panels, places, strict=True):
        for curve in panel.curves:
            _add_curve(figure, curve, names.index(curve.name), curve.name not in shown, place)
            shown.add(curve.name)
        for level in panel.levels:
            style = {"color": INK, "dash": DASHES[2 + levels.index(level.name) % 4], "width": 1.5}
            figure.add_scatter(
                x=[doses[0], doses[-1]],
                y=[level.y, level.y],
                mode="lines",
                name=safe(level.name),
                legendgroup=level.name,
                showlegend=level.name not in shown,
                line=style,
                hovertemplate=f"{precise_percent(level.y)}<extra>{safe(level.name)}</extra>",
                **place,
            )
            shown.add(level.name)
    figure.update_xaxes(title=axis_title(x_title), **_ticks(doses, log_x))
    figure.update_yaxes(title=axis_title(y_title), range=_range(panels), tickformat=".0%")
    return figure


def _add_curve(figure: go.Figure, curve: Curve, index: int, legend: bool, place: Place) -> None:
    errors = None
    if any(value is not None for value in curve.std):
        errors = {
            "type": "data",
            "array": [value or 0.0 for value in curve.std],
            "width": 3,
            "thickness": 1.2,
        }
    texts = list(curve.texts) or [f"{x:g}" for x in curve.x]
    figure.add_scatter(
        x=list(curve.x),
        y=list(curve.y),
        error_y=errors,
        mode="lines+markers+text" if curve.texts else "lines+markers",
        text=[safe(text) for text in curve.texts] or None,
        textposition="top center",
        textfont={"size": 12, "color": INK},
        customdata=[[text, precise_percent(y)] for text, y in zip(texts, curve.y, strict=True)],
        hovertemplate="%{customdata[0]}: %{customdata[1]}<extra>" + safe(curve.name) + "</extra>",
        **series_look(curve.name, index, _PALETTE, legend, 8),
        **place,
    )


def _ticks(doses: Sequence[float], log_x: bool) -> dict[str, Any]:
    if not log_x:
        span = (doses[-1] - doses[0]) or 1.0
        return {"range": [doses[0] - 0.06 * span, doses[-1] + 0.06 * span], "tickformat": "~g"}
    first, last = math.log10(doses[0]), math.log10(doses[-1])
    span = (last - first) or 1.0
    return {
        "type": "log",
        "range": [first - 0.06 * span, last + 0.06 * span],
        "tickvals": list(doses),
        "ticktext": [f"{dose:g}" for dose in doses],
        "tickangle": 0,
    }


def _range(panels: Sequence[Panel]) -> tuple[float, float]:
    """From the lowest to the highest of all panels, deviations included, with some air."""
    lows = [level.y for panel in panels for level in panel.levels]
    highs = list(lows)
    for curve in (curve for panel in panels for curve in panel.curves):
        spread = [value or 0.0 for value in curve.std] or [0.0] * len(curve.y)
        lows += [y - s for y, s in zip(curve.y, spread, strict=True)]
        highs += [y + s for y, s in zip(curve.y, spread, strict=True)]
    low, high = min(lows, default=0.0), max(highs, default=1.0)
    air = max(LEAST_SPAN, 0.12 * (high - low))
    return max(-0.02, low - air), min(1.04, high + air)

"""Rows of measured shares as dots with their deviation: what a table says, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures.look import AGAINST, FOR, INK, NEUTRAL, axis_title, name_rows, plain, safe
from sparsecbm_core.figures.numbers import precise_percent

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LOOKS = ((FOR, "circle"), (AGAINST, "diamond"), (NEUTRAL, "square"), (INK, "x"))
SHIFT = 0.16  # of a row, between two series of it


@dataclass(frozen=True)
class Dots:
    """One series: a mean for each row (None where there is none), with a standard deviation if known."""

    name: str
    means: Sequence[float | None]
    stds: Sequence[float | None] = ()

    @property
    def deviations(self) -> list[float]:
        """One for each mean: 0 where none is known."""
        return [std or 0.0 for std in self.stds or [None] * len(self.means)]

    @property
    def ends(self) -> list[tuple[float, float]]:
        """From where to where each dot goes with its deviation."""
        pairs = zip(self.means, self.deviations, strict=True)
        return [(mean - std, mean + std) for mean, std in pairs if mean is not None]


def dots_figure(rows: Sequence[str], series: Sequence[Dots], x_title: str) -> go.Figure:
    """A row for each title, a dot for each series, on one scale. `InputError` if nothing is known.

    >>> [dots.name for dots in dots_figure(["food", "noise"], [Dots("dense", [0.9, 0.8])], "accuracy").data]
    ['dense']
    """
    import plotly.graph_objects as go

    ends = [end for one in series for end in one.ends]
    if not ends:
        raise InputError("there is no dot to draw")
    figure = go.Figure()
    for number, one in enumerate(series):
        color, symbol = _LOOKS[number % len(_LOOKS)]
        shift = SHIFT * (number - (len(series) - 1) / 2)
        errors = None
        if any(value is not None for value in one.stds):
            errors = {"type": "data", "array": one.deviations, "width": 3, "thickness": 1.2}
        figure.add_scatter(
            name=safe(one.name),
            x=list(one.means),
            y=[place + shift for place in range(len(rows))],
            error_x=errors,
            mode="markers+text",
            text=["" if mean is None else precise_percent(mean) for mean in one.means],
            # Beside it the deviation would strike it through; above both, equal figures would be one.
            textposition="bottom center" if number % 2 else "top center",
            textfont={"size": 12, "color": INK},
            marker={"symbol": symbol, "size": 9, "color": color},
            hoverinfo="skip",
        )
    plain(figure, len(rows), legend=True)
    left, right = min(low for low, _ in ends), max(high for _, high in ends)
    span = max(0.02, right - left)
    figure.update_layout(height=44 * len(rows) + 90, margin_b=40)
    figure.update_xaxes(
        range=[left - 0.08 * span, right + 0.22 * span],
        tickformat=".0%",
        title=axis_title(x_title),
    )
    name_rows(figure, rows)
    return figure

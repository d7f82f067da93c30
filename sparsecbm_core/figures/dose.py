"""Dose and response of a correction as a figure: how many flips it takes, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparsecbm_core.figures.look import AGAINST, FOR, INK, NEUTRAL, line, plain, safe
from sparsecbm_core.figures.numbers import precise_percent

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.intervene.dose import DoseResponse

HEIGHT = 380
GAP = 0.12  # of the doses' width: between no flip at all and the smallest dose


def dose_figure(result: DoseResponse, space: ConceptSpace) -> go.Figure:
    """Probabilities of the state asked for and of the label predicted before, and the guard accuracy.

    The share of weights flipped runs on a log scale; 0, at the left, is the model as it is. The
    smallest dose that works is marked. A line is told from the others by its dashes and marks as well.

    >>> from sparsecbm_core.intervene.dose import dose_response
    >>> doses = dose_response(model, "The soup was cold.", "food", "Positive", rule="signed")
    >>> len(dose_figure(doses, model.space).data[0].x) == len(doses.points)
    True
    """
    import plotly.graph_objects as go

    before, doses = result.before, result.points[1:]
    places = [math.log10(point.r) for point in doses]
    places.insert(0, places[0] - max(0.35, GAP * (places[-1] - places[0])))
    label = before.reading.label
    curves: list[tuple[str, list[float], str, str, str]] = [
        (
            f"{space.title(result.concept)} is {space.title(result.state)}",
            [point.reading.states[result.state] for point in result.points],
            FOR,
            "solid",
            "circle",
        ),
        (
            f"{space.label_title(label)}, as before",
            [point.reading.labels[label] for point in result.points],
            AGAINST,
            "dash",
            "x",
        ),
    ]
    accuracies = [point.concept_accuracy for point in result.points if point.concept_accuracy is not None]
    if accuracies:
        name = f"{space.title(result.concept)} right in {result.guard_reviews:,} other reviews"
        curves.append((name, accuracies, NEUTRAL, "dot", "square"))
    hovers = ["No change", *(f"{share_text(point.r)}: {point.count:,} dropped and grown" for point in doses)]
    figure = go.Figure()
    for name, values, color, dash, symbol in curves:
        figure.add_scatter(
            x=places,
            y=values,
            mode="lines+markers",
            name=safe(name),
            line={"color": color, "dash": dash, "width": 2.5},
            marker={"symbol": symbol, "size": 9, "color": color},
            customdata=[[hover, precise_percent(value)] for hover, value in zip(hovers, values, strict=True)],
            hovertemplate="%{customdata[0]}<br>%{customdata[1]}",
        )
    plain(figure, 1, legend=True)
    left, right = places[0] - 0.12, places[-1] + 0.12
    shapes = [line((left, level), (right, level), "dot") for level in (0.0, 0.5, 1.0)]
    notes = [
        {
            "x": 0.5,
            "xref": "paper",
            "y": 0,
            "yref": "paper",
            "yshift": -62,
            "text": "Weights dropped, and as many grown",
            "showarrow": False,
            "font_size": 13,
        }
    ]
    if result.smallest is not None:
        at = math.log10(result.smallest.r)
        shapes.append(
            {**line((at, 0), (at, 1.06), "dash"), "line": {"color": FOR, "width": 2, "dash": "dash"}}
        )
        notes.append(
            {
                "x": at,
                "y": 1.06,
                "text": f"<b>Enough: {share_text(result.smallest.r)}, {result.smallest.count:,} weights</b>",
                "showarrow": False,
                "yanchor": "bottom",
                # Text runs towards the middle, so that it stays inside.
                "xanchor": "left" if at < (left + right) / 2 else "right",
                "font_size": 13,
            }
        )
    figure.update_layout(height=HEIGHT, margin_b=72, margin_r=16, shapes=shapes, annotations=notes)
    figure.update_layout(legend={"itemclick": False, "itemdoubleclick": False})
    ticks = _ticks([point.count for point in doses])
    figure.update_xaxes(
        tickvals=[places[0], *(math.log10(count / result.total) for count in ticks)],
        ticktext=["0", *(f"{share_text(count / result.total)}<br>{count:,}" for count in ticks)],
        tickangle=0,
        range=[left, right],
    )
    figure.update_yaxes(
        tickvals=[0, 0.5, 1], ticktext=["0 %", "50 %", "100 %"], range=[-0.04, 1.18], tickfont_color=INK
    )
    return figure


def share_text(share: float) -> str:
    """A share of the weights as per cent, to two significant digits and without an exponent.

    >>> share_text(2.04e-6), share_text(0.01), share_text(0.00123)
    ('0.0002 %', '1 %', '0.12 %')
    """
    value = 100 * share
    digits = max(0, 1 - math.floor(math.log10(value))) if value > 0 else 0
    text = f"{value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def _ticks(counts: Sequence[int]) -> list[int]:
    """Doses that get a label: about five of them, half a decade apart at least."""
    chosen: list[int] = []
    apart = max(0.5, math.log10(counts[-1] / counts[0]) / 5)
    for count in counts:
        if not chosen or math.log10(count / chosen[-1]) >= apart:
            chosen.append(count)
    return chosen

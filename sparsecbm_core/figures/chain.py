"""What a chain of corrections does to the accuracy on other reviews, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.figures.look import AGAINST, FOR, NEUTRAL, axis_title, line, plain, safe
from sparsecbm_core.figures.numbers import precise_percent

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.evaluate.chain import ChainAccuracy

HEIGHT = 320
MOST_MARKS = 40  # beyond this many corrections the marks would hide the lines
LEAST_SPAN = 1.0  # points up and down: a single review must not look like a landslide
# Colour, dash and mark of each concept's line; the colours mean nothing else anywhere.
OTHERS = (
    ("#8E5BB5", "dot", "diamond"),
    ("#2A8FA3", "dashdot", "triangle-up"),
    ("#7A7A2E", "longdash", "x"),
    (NEUTRAL, "longdashdot", "cross"),
)
DRAWN = len(OTHERS)  # more lines could not be told apart


def chain_figure(result: ChainAccuracy, space: ConceptSpace) -> go.Figure:
    """Change of accuracy in points, against the model as loaded, after each correction.

    Lines for the label, for all concepts together, and for the concepts that the chain changed: `DRAWN` at
    most, those that moved most. Each line has a colour, a dash and a mark of its own, and its name says the
    accuracy at the beginning and at the end.

    >>> from sparsecbm_core.evaluate.chain import ChainAccuracy, ChainPoint
    >>> points = ChainPoint(0, (), {"food": 0.5}, 0.5, 0.25), ChainPoint(1, ("food",), {"food": 1}, 1, 0.25)
    >>> [line.name for line in chain_figure(ChainAccuracy("guard", 4, points), model.space).data]
    ['Label, 25.0 %', 'All concepts, 50.0 % → 100.0 %', 'food, 50.0 % → 100.0 %']
    """
    import plotly.graph_objects as go

    points = result.points
    series: list[tuple[str, list[float], str, str, str]] = [
        ("Label", [point.label for point in points], FOR, "solid", "circle"),
        ("All concepts", [point.concept for point in points], AGAINST, "dash", "square"),
    ]
    for (color, dash, mark), name in zip(OTHERS, _moved_most(result), strict=False):
        values = [point.concepts[name] for point in points]
        series.append((safe(space.title(name)), values, color, dash, mark))
    x, figure = [point.corrections for point in points], go.Figure()
    largest = LEAST_SPAN
    for name, values, color, dash, mark in series:
        moved = [100 * (value - values[0]) for value in values]
        largest = max(largest, *map(abs, moved))
        figure.add_scatter(
            name=f"{name}, {_from_to(values)}",
            x=x,
            y=moved,
            mode="lines+markers" if len(points) <= MOST_MARKS else "lines",
            line={"color": color, "dash": dash, "width": 2},
            marker={"symbol": mark, "size": 7},
            customdata=values,
            hovertemplate="%{customdata:.1%} after %{x}<extra>" + name + "</extra>",
        )
    plain(figure, 0, legend=True)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 16, "t": 36, "b": 8},
        shapes=[line((0, 0), (max(x[-1], 1), 0), "dot")],
        hovermode="closest",
    )
    figure.update_xaxes(
        title=axis_title("corrections"),
        range=[-0.02 * max(x[-1], 1), 1.02 * max(x[-1], 1)],
        tickformat="d",
        **({"dtick": 1} if x[-1] <= 12 else {}),
    )
    figure.update_yaxes(
        title=axis_title("accuracy, points"),
        range=[-1.1 * largest, 1.1 * largest],
        tickformat="+.1f",
    )
    return figure


def _from_to(values: list[float]) -> str:
    first, last = precise_percent(values[0]), precise_percent(values[-1])
    return first if first == last else f"{first} → {last}"


def _moved_most(result: ChainAccuracy) -> list[str]:
    """Of the concepts that the chain changed those whose accuracy moved most, in the order of the chain."""

    def moved(name: str) -> float:
        values = [point.concepts[name] for point in result.points]
        return max(abs(value - values[0]) for value in values)

    chosen = sorted(result.changed, key=moved, reverse=True)[:DRAWN]
    return [name for name in result.changed if name in chosen]

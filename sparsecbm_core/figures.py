"""Results as plotly figures: pure functions that read what a result holds and never run a model.

The two colours stand apart for colour-blind readers and reach 3 to 1 on white and on near-black, so a
figure needs no theme; whatever speaks against is hatched as well, and every bar carries its number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsecbm_core.errors import InputError

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.explain.results import Explanation
    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats
    from sparsecbm_core.intervene.oracle import OracleResult

FOR, AGAINST, NEUTRAL = "#3B78D8", "#D0583A", "#8A94A3"
DENSITY_SCALE = ((0.0, "rgba(59, 120, 216, 0.04)"), (1.0, "rgba(59, 120, 216, 1)"))
ROW = 40  # pixels a bar takes


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, as every text and chart writes it.

    >>> signed(1.904), signed(-0.7), signed(-0.001)
    ('+1.90', '−0.70', '0.00')
    """
    text = f"{value:+.{digits}f}"
    if not float(text):
        return text[1:]
    return text.replace("-", "−")


def percent(share: float) -> str:
    """A share as whole per cent, never rounded to a certainty that it is not.

    >>> percent(0.623), percent(0.9996), percent(0.0004), percent(1.0)
    ('62 %', '> 99 %', '< 1 %', '100 %')
    """
    if 0 < share < 0.005:
        return "< 1 %"
    if 0.995 <= share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")


@dataclass(frozen=True)
class Part:
    """What one concept adds to a score."""

    name: str
    title: str
    value: float


@dataclass(frozen=True)
class Breakdown:
    """A score as a sum: ``base`` and the ``parts``, one per concept, add up to ``total``."""

    base_title: str
    base: float
    parts: tuple[Part, ...]
    total_title: str
    total: float

    def rows(self) -> list[dict[str, Any]]:
        """The sum as a table, one row a term and one for the total."""
        terms = [(self.base_title, self.base), *((part.title, part.value) for part in self.parts)]
        return [{"part": title, "value": value} for title, value in (*terms, (self.total_title, self.total))]


def breakdown(
    explanation: Explanation,
    space: ConceptSpace,
    label: str | None = None,
    against: str | None = None,
    relative: bool = True,
) -> Breakdown:
    """The logit of ``label`` (default: the predicted one) as a sum over concepts, largest first.

    ``relative`` measures each concept against the average text; otherwise activations count from
    zero. With ``against`` the sum is the difference of the two labels' logits: why one and not
    the other.
    """
    label = explanation.label if label is None else label
    for name in (label, *([] if against is None else [against])):
        space.label_index(name)
    if against == label:
        raise InputError(f"a label cannot be compared with itself, got {label!r} twice")

    def value(values: Mapping[str, float]) -> float:
        return values[label] - (values[against] if against is not None else 0.0)

    parts = [
        Part(name, space.title(name), value(item.relative_contributions if relative else item.contributions))
        for name, item in explanation.concepts.items()
    ]
    parts.sort(key=lambda part: -abs(part.value))
    title = space.title(label)
    return Breakdown(
        base_title="Average review" if relative else "Bias",
        base=value(explanation.base if relative else explanation.bias),
        parts=tuple(parts),
        total_title=f"Score of {title}" if against is None else f"{title} ahead of {space.title(against)}",
        total=value(explanation.logits),
    )


def contribution_figure(parts: Breakdown, selected: str | None = None) -> go.Figure:
    """A waterfall from the base, one step a concept, to the score; ``selected`` stands out."""
    import plotly.graph_objects as go

    starts, value = [0.0], parts.base
    for part in parts.parts:
        starts.append(value)
        value += part.value
    starts.append(0.0)
    widths = [parts.base, *(part.value for part in parts.parts), parts.total]
    titles = [parts.base_title, *(part.title for part in parts.parts), parts.total_title]
    names = [None, *(part.name for part in parts.parts), None]
    strong = {parts.total_title, *(part.title for part in parts.parts if part.name == selected)}
    titles = [f"<b>{title}</b>" if title in strong else title for title in titles]
    colors = [NEUTRAL, *(FOR if part.value >= 0 else AGAINST for part in parts.parts), NEUTRAL]
    hatches = ["", *("" if part.value >= 0 else "/" for part in parts.parts), ""]
    positions = list(range(len(widths)))
    ends = [start + width for start, width in zip(starts, widths, strict=True)]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=positions,
            x=widths,
            base=starts,
            marker={
                "color": colors,
                # 0.8 keeps 3 to 1 on white and on near-black.
                "opacity": [1.0 if selected is None or name in (None, selected) else 0.8 for name in names],
                "pattern": {
                    "shape": hatches,
                    "fillmode": "overlay",
                    "fgcolor": "rgba(255, 255, 255, 0.6)",
                    "size": 7,
                    "solidity": 0.22,
                },
            },
            customdata=[signed(width) for width in widths],
            hovertemplate="%{customdata}<extra></extra>",
            width=0.56,
        )
    )
    low, high = min(0.0, *starts, *ends), max(0.0, *starts, *ends)
    numbers = [
        {
            "x": max(start, end),
            "y": i,
            "text": f"<b>{signed(widths[i])}</b>",
            "showarrow": False,
            "xanchor": "left",
            "xshift": 6,
            "font": {"size": 13},
        }
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    # Threads from one step to the next, and the zero.
    lines = [_line((end, i), (end, i + 1), dash="dot") for i, end in enumerate(ends[:-2])]
    lines.append(_line((0, -0.5), (0, len(positions) - 0.5)))
    figure.update_layout(annotations=numbers, shapes=lines)
    _plain(figure, len(positions))
    figure.update_xaxes(visible=False, range=[low, high if high > low else 1.0])
    figure.update_yaxes(tickvals=positions, ticktext=titles, range=[len(positions) - 0.5, -0.5])
    return figure


def before_after_figure(result: OracleResult, space: ConceptSpace) -> go.Figure:
    """Label probabilities of the model, and with the concepts set by hand."""
    return paired_bars(
        [space.title(label) for label in space.labels],
        ("Model", [result.probabilities[label] for label in space.labels]),
        ("With your change", [result.probabilities_after[label] for label in space.labels]),
        colors=(NEUTRAL, FOR),
    )


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
            textfont={"size": 12},
            hoverinfo="skip",
        )
    _plain(figure, len(positions), legend=True)
    figure.update_xaxes(visible=False, range=[0, max([0.01, *first[1], *second[1]])])
    figure.update_yaxes(tickvals=positions, ticktext=list(titles), range=[len(positions) - 0.5, -0.5])
    return figure


def density_figure(image: DensityImage) -> go.Figure:
    """One concept's mask: a row of blocks per layer, a column per matrix, darker where more is kept."""
    import plotly.graph_objects as go

    rows, columns = image.cells
    # Whole per cent as bytes: an eighth of the numbers' size on the way to the browser. 255 is "no matrix".
    z = np.where(np.isnan(image.values), 255.0, np.rint(image.values * 100)).astype(np.uint8)
    known = z[z <= 100]
    top = max(1, int(np.percentile(known, 99.5))) if known.size else 100
    figure = go.Figure(
        go.Heatmap(
            z=z,
            zmin=0,
            zmax=top,
            colorscale=DENSITY_SCALE,
            xgap=0,
            ygap=0,
            hovertemplate="%{z} % kept<extra></extra>",
            colorbar={
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 0,
                "yanchor": "top",
                "len": 0.6,
                "thickness": 8,
                "ticksuffix": " %",
                "tickfont": {"size": 12},
                "outlinewidth": 0,
                "nticks": 4,
            },
        )
    )
    height, width = image.values.shape
    across = [_line((-0.5, y), (width - 0.5, y)) for y in np.arange(rows, height, rows) - 0.5]
    down = [_line((x, -0.5), (x, height - 0.5)) for x in np.arange(columns, width, columns) - 0.5]
    figure.update_layout(shapes=[*across, *down])
    _plain(figure, len(image.layers))
    figure.update_layout(height=130 + 68 * len(image.layers), margin_r=8)
    figure.update_xaxes(
        tickvals=[(j + 0.5) * columns - 0.5 for j in range(len(image.roles))],
        ticktext=[re.sub("(?<=-)| ", "<br>", role) for role in image.roles],
        side="top",
        tickangle=0,
        range=[-0.5, len(image.roles) * columns - 0.5],
    )
    figure.update_yaxes(
        tickvals=[(i + 0.5) * rows - 0.5 for i in range(len(image.layers))],
        ticktext=[str(layer + 1) for layer in image.layers],
        title={"text": "Layer", "font": {"size": 13}, "standoff": 6},
        range=[len(image.layers) * rows - 0.5, -0.5],
    )
    return figure


def overlap_figure(stats: SubnetworkStats, space: ConceptSpace) -> go.Figure:
    """How alike each pair of subnetworks is, beside what chance gives."""
    return paired_bars(
        [f"{space.title(pair.first)} and {space.title(pair.second)}" for pair in stats.overlaps],
        ("This pair", [pair.jaccard for pair in stats.overlaps]),
        ("By chance", [pair.chance_by_matrix for pair in stats.overlaps]),
    )


def shared_by_figure(stats: SubnetworkStats) -> go.Figure:
    """How many weights are kept by none, one, two … of the concepts."""
    titles = [shared_title(n, len(stats.concepts)) for n in range(len(stats.shared_by))]
    shares = [count / stats.total for count in stats.shared_by]
    return share_bars(titles, shares, [NEUTRAL] + [FOR] * len(stats.concepts))


def shared_title(n: int, concepts: int) -> str:
    """How many concepts keep a weight, in words.

    >>> [shared_title(n, 3) for n in range(4)]
    ['no concept', 'one concept', '2 concepts', 'all 3 concepts']
    """
    if n < 2:
        return ("no concept", "one concept")[n]
    return f"all {n} concepts" if n == concepts else f"{n} concepts"


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
            textfont={"size": 13},
            hoverinfo="skip",
        )
    )
    _plain(figure, len(titles))
    figure.update_xaxes(visible=False, range=[0, max([0.01, *shares])])
    figure.update_yaxes(tickvals=positions, ticktext=list(titles), range=[len(titles) - 0.5, -0.5])
    return figure


def precise_percent(share: float) -> str:
    """A measured share with one decimal.

    >>> precise_percent(0.8934)
    '89.3 %'
    """
    return f"{100 * share:.1f} %"


def _line(start: tuple[float, float], end: tuple[float, float], dash: str = "solid") -> dict[str, Any]:
    """A thin grey line between two points, as plotly's shape."""
    return {
        "type": "line",
        "x0": start[0],
        "y0": start[1],
        "x1": end[0],
        "y1": end[1],
        "line": {"color": NEUTRAL, "width": 1, "dash": dash},
    }


def _plain(figure: go.Figure, rows: int, legend: bool = False) -> None:
    """No grid, no frame, no margins beyond what the labels take."""
    figure.update_layout(
        height=ROW * rows + (52 if legend else 16),
        # On the right there is room for the number of the longest bar.
        margin={"l": 8, "r": 64, "t": 36 if legend else 8, "b": 8},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "yref": "paper"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        bargap=0.3,
        font={"size": 14},
        dragmode=False,
    )
    figure.update_xaxes(showgrid=False, zeroline=False, fixedrange=True)
    figure.update_yaxes(
        showgrid=False,
        zeroline=False,
        fixedrange=True,
        automargin=True,
        ticks="",
        showline=False,
        tickfont={"size": 13.5},
    )

"""Single weights of a matrix as figures: every cell in the colour of its state.

    window_figure(window)  # before and after
    pair_window_figure(pair, space)  # two concepts

States that a reader looks for bear a sign as well, so that none is told by its colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparsecbm_core.figures.look import AGAINST, FOR, NEUTRAL, plain, safe

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.explain.mask_windows import MaskWindow, PairWindow, Window

SIDE = 520  # pixels a picture is high
PRUNED, KEPT, LOST, WON = (
    "rgba(138, 148, 163, 0.10)",
    "rgba(138, 148, 163, 0.62)",
    "rgba(208, 88, 58, 0.38)",
    "rgba(59, 120, 216, 0.38)",
)
ONE, TWO, BOTH = "rgba(59, 120, 216, 0.5)", "rgba(208, 88, 58, 0.3)", "rgba(126, 87, 194, 0.4)"
DEEP = "#7E57C2"  # between the two colours of a pair: what both have


def window_figure(window: MaskWindow) -> go.Figure:
    """Single weights: pruned, used, dropped (cross) and grown (square).

    >>> from sparsecbm_core.explain.mask_windows import window
    >>> matrix = model.cbm.matrices[0].name
    >>> part = window(model.masks, done.corrected.masks, "food", matrix, top=0, left=0, size=8)
    >>> window_figure(part).data[0].z.shape
    (8, 8)
    """
    # Few changes among many cells are drawn larger than their cell, so that they are found.
    changed = window.counts["dropped"] + window.counts["grown"]
    return _cells(
        window,
        (
            _Look("Pruned", PRUNED, "square-open", NEUTRAL),
            _Look("Used", KEPT, "square", NEUTRAL),
            _Look("Dropped", LOST, "x", AGAINST, marked=True),
            _Look("Grown", WON, "square", FOR, marked=True),
        ),
        least=8.0 if changed < 0.1 * window.codes.size else 3.0,
    )


def pair_window_figure(window: PairWindow, space: ConceptSpace) -> go.Figure:
    """Single weights of two concepts: used by neither, one alone (the second: cross), both (dot).

    >>> from sparsecbm_core.explain.mask_windows import pair_window
    >>> part = pair_window(model.masks, "food", "noise", model.cbm.matrices[0].name, top=0, left=0, size=8)
    >>> pair_window_figure(part, model.space).data[0].z.shape
    (8, 8)
    """
    first, second = space.title(window.first), space.title(window.second)
    return _cells(
        window,
        (
            _Look("Neither", PRUNED, "square-open", NEUTRAL),
            _Look(f"Only {first}", ONE, "square", FOR),
            _Look(f"Only {second}", TWO, "x", AGAINST, marked=True),
            _Look("Both", BOTH, "circle", DEEP, marked=True),
        ),
        least=3.0,
    )


@dataclass(frozen=True)
class _Look:
    """How one state of a cell is drawn: the colour of the cell, and its sign in the legend.

    ``marked`` cells bear the sign as well, so that no state is told by colour alone.
    """

    name: str
    cell: str
    symbol: str
    color: str
    marked: bool = False


def _cells(window: Window, looks: Sequence[_Look], least: float) -> go.Figure:
    """Cells in discrete colours with their signs, and a legend with the counts.

    ``least`` is the smallest size of a sign in pixels.
    """
    import plotly.graph_objects as go

    rows, columns = window.codes.shape
    pitch, gap = SIDE / max(rows, columns), int(max(rows, columns) <= 64)
    steps = [(edge, look.cell) for i, look in enumerate(looks) for edge in (i / 4, (i + 1) / 4)]
    figure = go.Figure(
        go.Heatmap(
            z=window.codes,
            x0=window.left,
            y0=window.top,
            dx=1,
            dy=1,
            zmin=-0.5,
            zmax=3.5,
            colorscale=steps,
            showscale=False,
            xgap=gap,
            ygap=gap,
            text=np.array([safe(look.name) for look in looks])[window.codes].tolist(),
            hovertemplate="Row %{y}, column %{x}: %{text}<extra></extra>",
        )
    )
    for code, look in enumerate(looks):
        places = np.argwhere(window.codes == code) if look.marked else np.empty((0, 2), dtype=np.int64)
        figure.add_scatter(
            x=[*(places[:, 1] + window.left).tolist(), None],  # the last one is for the legend
            y=[*(places[:, 0] + window.top).tolist(), None],
            mode="markers",
            name=f"{safe(look.name)} {window.counts[window.states[code]]:,}",
            marker={
                "symbol": look.symbol,
                "color": look.color,
                "size": min(14.0, max(least, 0.6 * pitch)),
                "line_width": 0,
            },
            hoverinfo="skip",
            showlegend=True,
        )
    plain(figure, 1, legend=True)
    figure.update_layout(height=SIDE, margin_r=8)
    figure.update_layout(legend={"itemclick": False, "itemdoubleclick": False, "itemsizing": "constant"})
    right, bottom = window.left + columns - 0.5, window.top + rows - 0.5
    figure.update_xaxes(range=[window.left - 0.5, right], nticks=8, constrain="domain")
    figure.update_yaxes(range=[bottom, window.top - 0.5], nticks=8, scaleanchor="x", constrain="domain")
    return figure

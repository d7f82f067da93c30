"""Masks before and after as figures: the overview, and the blocks of one matrix.

    changes_figure(changes)  # layer × matrix, weights dropped and grown
    blocks_figure(density), block_changes_figure(blocks)  # one matrix

A heatmap gives no click events: where a block can be chosen, an unseen scatter trace named "pick" has
a point on each, with customdata (row, column, …). Dropped is a cross and grown a square, whatever the colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsecbm_core.figures.look import (
    AGAINST,
    DENSITY_BAR,
    DENSITY_SCALE,
    FOR,
    PALE_SCALE,
    line,
    name_matrices,
    plain,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.explain.mask_changes import BlockChanges, BlockDensity, Blocks, MaskChanges

PICK = "pick"
_FROM = "Block from row %{customdata[2]}, column %{customdata[3]}"
SIDE = 520  # pixels a picture of one matrix is high


def changes_figure(changes: MaskChanges) -> go.Figure:
    """The overview: per layer and matrix how many weights were dropped (−) and grown (+).

    "pick" has customdata (row, column, matrix). A matrix that a layer does not have bears a dash.

    >>> from sparsecbm_core.explain.mask_changes import mask_changes
    >>> changes = mask_changes(model.masks, done.corrected.masks, model.cbm.matrices, "food")
    >>> changes_figure(changes).data[0].z.shape
    (2, 6)
    """
    import plotly.graph_objects as go

    places = {(changes.layers.index(m.layer), changes.roles.index(m.role)): m for m in changes.matrices}
    flips = np.zeros((len(changes.layers), len(changes.roles)), dtype=np.int64)
    texts: list[dict[str, Any]] = []
    for row, column in np.ndindex(flips.shape):
        item = places.get((row, column))
        text = "–"
        if item is not None:
            flips[row, column] = item.dropped + item.grown
            text = f"−{item.dropped:,}<br>+{item.grown:,}" if flips[row, column] else "0"
        texts.append({"x": column, "y": row, "text": text, "showarrow": False, "font_size": 13})
    figure = go.Figure(
        go.Heatmap(
            z=_levels(flips),
            zmin=0,
            zmax=255,
            colorscale=PALE_SCALE,
            showscale=False,
            xgap=3,
            ygap=3,
            hoverinfo="skip",
        )
    )
    points = [
        (column, row, (row, column, item.matrix, item.dropped, item.grown, item.kept))
        for (row, column), item in places.items()
    ]
    hover = "%{customdata[3]:,} dropped, %{customdata[4]:,} grown<br>%{customdata[5]:,} used as before"
    figure.add_trace(_pick(points, 44, hover))
    plain(figure, len(changes.layers))
    figure.update_layout(annotations=texts, height=96 + 52 * len(changes.layers), margin_r=8)
    name_matrices(figure, changes.layers, changes.roles, (1, 1))
    return figure


def blocks_figure(blocks: BlockDensity, top: float | None = None) -> go.Figure:
    """How dense each block of a matrix is; ``top`` is the density of the full colour, for comparing.

    "pick" has customdata (row, column, first row, first column, kept, weights).

    >>> from sparsecbm_core.explain.mask_changes import block_density
    >>> blocks = block_density(model.masks, "food", model.cbm.matrices[0].name, rows=4, columns=4)
    >>> blocks_figure(blocks).data[0].z.shape
    (4, 4)
    """
    import plotly.graph_objects as go

    density, sizes = blocks.density, blocks.sizes
    top = max(0.01, float(density.max())) if top is None else top
    figure = go.Figure(
        go.Heatmap(
            z=np.rint(density * 100).astype(np.uint8),
            x=blocks.column_edges,
            y=blocks.row_edges,
            zmin=0,
            zmax=100 * top,
            colorscale=DENSITY_SCALE,
            hoverinfo="skip",
            colorbar=DENSITY_BAR,
        )
    )
    points = [
        (*_middle(blocks, i, j), (i, j, *blocks.origin(i, j), int(kept), int(sizes[i, j])))
        for (i, j), kept in np.ndenumerate(blocks.kept)
    ]
    hover = "%{customdata[4]:,} of %{customdata[5]:,} used"
    figure.add_trace(_pick(points, _pitch(blocks), f"{_FROM}<br>{hover}"))
    _frame(figure, blocks.shape)
    return figure


def block_changes_figure(blocks: BlockChanges) -> go.Figure:
    """Where in a matrix weights were dropped (crosses) and grown (squares), larger where more were.

    "pick" has customdata (row, column, first row, first column, dropped, grown).

    >>> from sparsecbm_core.explain.mask_changes import block_changes
    >>> matrix = model.cbm.matrices[0].name
    >>> blocks = block_changes(model.masks, done.corrected.masks, "food", matrix, rows=4, columns=4)
    >>> block_changes_figure(blocks).data[0].z.shape
    (4, 4)
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Heatmap(
            z=_levels(blocks.dropped + blocks.grown),
            x=blocks.column_edges,
            y=blocks.row_edges,
            zmin=0,
            zmax=255,
            colorscale=PALE_SCALE,
            showscale=False,
            hoverinfo="skip",
        )
    )
    most = max(1, int(blocks.dropped.max()), int(blocks.grown.max()))
    for name, symbol, color, counts, side in (
        ("Dropped", "x", AGAINST, blocks.dropped, -0.22),
        ("Grown", "square", FOR, blocks.grown, 0.22),
    ):
        marked = np.argwhere(counts).tolist()
        middles = [_middle(blocks, i, j, side) for i, j in marked]
        figure.add_scatter(
            x=[*(x for x, _ in middles), None],  # the last one is for the legend
            y=[*(y for _, y in middles), None],
            mode="markers",
            name=f"{name} {int(counts.sum()):,}",
            marker={
                "symbol": symbol,
                "color": color,
                "size": [*(6 + 8 * (int(counts[i, j]) / most) ** 0.5 for i, j in marked), 10],
                "line_width": 0,
                "opacity": 1,
            },
            unselected={"marker": {"opacity": 1}},  # a chosen block must not pale the others
            hoverinfo="skip",
            showlegend=True,
        )
    points = [
        (
            *_middle(blocks, i, j),
            (i, j, *blocks.origin(i, j), int(blocks.dropped[i, j]), int(blocks.grown[i, j])),
        )
        for i, j in np.ndindex(blocks.dropped.shape)
    ]
    hover = "%{customdata[4]:,} dropped, %{customdata[5]:,} grown"
    figure.add_trace(_pick(points, _pitch(blocks), f"{_FROM}<br>{hover}"))
    _frame(figure, blocks.shape, legend=True)
    return figure


def _levels(counts: np.ndarray) -> np.ndarray:
    """Counts as bytes for a colour scale of 0 … 255: the largest is 255, and none above 0 becomes 0."""
    most = max(1, int(counts.max(initial=0)))
    return ((counts * 255 + most - 1) // most).astype(np.uint8)


def _middle(blocks: Blocks, row: int, column: int, side: float = 0.0) -> tuple[float, float]:
    """(x, y) of a block's middle, moved by a share ``side`` of its width."""
    low, high = float(blocks.column_edges[column]), float(blocks.column_edges[column + 1])
    x = (low + high) / 2 + side * (high - low)
    return x, float(blocks.row_edges[row] + blocks.row_edges[row + 1]) / 2


def _pitch(blocks: Blocks) -> float:
    """Pixels a block is high."""
    return SIDE / (len(blocks.row_edges) - 1)


def _pick(points: Sequence[tuple[float, float, tuple[Any, ...]]], size: float, hover: str) -> go.Scatter:
    """Unseen points (x, y, customdata) to hover over and to choose."""
    import plotly.graph_objects as go

    unseen = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=[x for x, _, _ in points],
        y=[y for _, y, _ in points],
        # Lists: an array would come back from a click as an object with numbered keys.
        customdata=[list(values) for _, _, values in points],
        mode="markers",
        name=PICK,
        marker={"symbol": "square", "size": min(44.0, max(6.0, size)), "opacity": 0},
        selected=unseen,
        unselected=unseen,
        hovertemplate=f"{hover}<extra></extra>",
        showlegend=False,
    )


def _frame(figure: go.Figure, shape: tuple[int, int], legend: bool = False) -> None:
    """Axes in weights, rows from the top, and a thin frame around the matrix."""
    rows, columns = shape
    plain(figure, 1, legend)
    figure.update_layout(
        height=SIDE,
        margin_r=8,
        shapes=[
            line((0, 0), (columns, 0)),
            line((0, rows), (columns, rows)),
            line((0, 0), (0, rows)),
            line((columns, 0), (columns, rows)),
        ],
    )
    figure.update_layout(legend={"itemclick": False, "itemdoubleclick": False})
    figure.update_xaxes(range=[0, columns], nticks=7, side="bottom" if legend else "top")
    figure.update_yaxes(range=[rows, 0], nticks=7)

"""A square table as a picture: a shade and a number in every cell, the diagonal framed.

Of many rows the numbers are under the pointer alone: thousands of them would hold a browser up for minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures.look import FOR, PALE_SCALE, axis_title, name_rows, plain, safe

if TYPE_CHECKING:
    import plotly.graph_objects as go

LARGE, SMALL = (46, 3, 2), (16, 1, 1)  # pixels: a cell's height, the gap between two, a frame's line
MANY = 12  # so many rows have room for a number in every cell
LEVEL = 5  # so many titles have room beside each other; more of them are turned
LETTER = 8  # pixels, about, of a letter in a title that is turned


def matrix_figure(
    values: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]],
    titles: Sequence[str],
    x_title: str,
    ends: tuple[float, float] | None = None,
) -> go.Figure:
    """K × K ``values``, row by row from the top, with the text of each cell.

    ``ends`` are the values of the palest and the fullest shade; default: the least and the most there is.
    Cells of the diagonal are framed. `InputError` where the table is not square or empty.

    >>> table = [[0.9, 0.4], [0.3, 0.8]]
    >>> texts = [["90 %", "40 %"], ["30 %", "80 %"]]
    >>> matrix_figure(table, texts, ["food", "noise"], "read through").data[0].z.shape
    (2, 2)
    """
    import plotly.graph_objects as go

    table, size = np.array(values, dtype=float), len(titles)
    many = size > MANY
    cell, gap, width = SMALL if many else LARGE
    if not size or table.shape != (size, size):
        raise InputError(f"a matrix of {size} titles needs {size} rows and columns, got {table.shape}")
    low, high = (float(table.min()), float(table.max())) if ends is None else ends
    shades = np.clip((table - low) / ((high - low) or 1.0), 0.0, 1.0)
    figure = go.Figure(
        go.Heatmap(
            z=np.rint(255 * shades).astype(np.uint8),
            zmin=0,
            zmax=255,
            colorscale=PALE_SCALE,
            showscale=False,
            xgap=gap,
            ygap=gap,
            customdata=[[safe(text) for text in row] for row in texts] if many else None,
            hovertemplate="%{y}, %{x}: %{customdata}<extra></extra>" if many else None,
            hoverinfo=None if many else "skip",
        )
    )
    notes: list[dict[str, Any]] = [
        {"x": j, "y": i, "text": safe(texts[i][j]), "showarrow": False, "font_size": 13}
        for i in range(0 if many else size)
        for j in range(size)
    ]
    frames = [
        {
            "type": "rect",
            "x0": k - 0.5,
            "x1": k + 0.5,
            "y0": k - 0.5,
            "y1": k + 0.5,
            "line": {"color": FOR, "width": width},
        }
        for k in range(size)
    ]
    plain(figure, size)
    turned = size > LEVEL
    top = 48 + LETTER * max(map(len, titles)) if turned else 64
    figure.update_layout(
        annotations=notes,
        shapes=frames,
        height=76 + top + cell * size,
        margin_r=8,
        margin_t=top,
    )
    broken = [safe(name) if turned else safe(name).replace(" ", "<br>") for name in titles]
    figure.update_xaxes(
        tickvals=list(range(size)),
        ticktext=broken,
        side="top",
        tickangle=-90 if turned else 0,
        range=[-0.5, size - 0.5],
        title=axis_title(x_title, standoff=14),
    )
    name_rows(figure, titles)
    return figure

"""Where in the encoder a mask changed, as a picture beside those of its density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sparsecbm_core.explain.subnetworks import DensityImage
from sparsecbm_core.figures.look import AGAINST, FOR
from sparsecbm_core.figures.masks import density_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.explain.mask_changes import BlockChanges, MaskChanges


def flip_map_figure(changes: MaskChanges, blocks: Mapping[str, BlockChanges]) -> go.Figure:
    """A cross in every block in which weights were dropped, a square where they were grown.

    Laid out as `density_figure`: a row of matrices per layer, a column per role. ``blocks`` are those of
    the matrices that changed, by name.
    """
    layout = np.full((len(changes.layers), len(changes.roles)), np.nan, dtype=np.float32)
    marks: dict[str, list[tuple[float, float]]] = {"Dropped": [], "Grown": []}
    for item in changes.matrices:
        y, x = changes.layers.index(item.layer), changes.roles.index(item.role)
        layout[y, x] = 0
        if item.matrix in blocks:
            found = blocks[item.matrix]
            # Beside each other, or a block with both would show one of them only.
            for name, counts, side in (("Dropped", found.dropped, 0.3), ("Grown", found.grown, 0.7)):
                rows, columns = counts.shape
                marks[name] += [
                    (x - 0.5 + (j + side) / columns, y - 0.5 + (i + 0.5) / rows)
                    for i, j in np.argwhere(counts).tolist()
                ]
    figure = density_figure(DensityImage(changes.concept, layout, changes.layers, changes.roles, (1, 1)), 1.0)
    figure.update_traces(showscale=False, hoverinfo="skip", hovertemplate=None)
    for (name, places), symbol, color in zip(marks.items(), ("x", "square"), (AGAINST, FOR), strict=True):
        figure.add_scatter(
            x=np.array([x for x, _ in places], dtype=np.float32),
            y=np.array([y for _, y in places], dtype=np.float32),
            mode="markers",
            name=name,
            marker={"symbol": symbol, "color": color, "size": 6},
            hoverinfo="skip",
        )
    return figure

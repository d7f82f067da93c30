"""Subnetworks as figures: density, overlap, shared weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from sparsecbm_core.figures.bars import paired_bars, share_bars
from sparsecbm_core.figures.look import DENSITY_BAR, DENSITY_SCALE, FOR, NEUTRAL, line, name_matrices, plain
from sparsecbm_core.figures.matrix import matrix_figure
from sparsecbm_core.figures.numbers import percent, shared_title

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats

PAIRS_AS_BARS = 10  # more of them are a matrix


def density_top(images: Iterable[DensityImage]) -> float:
    """The density that gets the full colour in all of ``images``, so that their shades compare.

    All but the densest 0.5 % of the cells lie below it: a single dense patch must not pale the rest.

    >>> from sparsecbm_core.explain import density_image
    >>> 0.25 < density_top([density_image(model.masks, model.cbm.matrices, "food", cells=(4, 4))]) <= 1
    True
    """
    known = [image.values[~np.isnan(image.values)] for image in images]
    values = np.concatenate(known) if known else np.empty(0)
    return max(0.01, float(np.percentile(values, 99.5))) if values.size else 1.0


def density_figure(image: DensityImage, top: float | None = None) -> go.Figure:
    """One concept's mask: a row of blocks per layer, a column per matrix, darker where more is used.

    ``top`` is the density of the full colour: give the same one (`density_top`) to pictures that are
    compared. A matrix that a layer does not have stays empty and bears a dash.

    >>> from sparsecbm_core.explain import density_image
    >>> density_figure(density_image(model.masks, model.cbm.matrices, "food", cells=(4, 4))).data[0].z.shape
    (8, 24)
    """
    import plotly.graph_objects as go

    rows, columns = image.cells
    absent = np.isnan(image.values)
    z = np.rint(image.values * 100)
    if not absent.any():
        # Whole per cent as bytes: a quarter of the size on the way to the browser. Bytes know no gap.
        z = z.astype(np.uint8)
    top = density_top([image]) if top is None else top
    figure = go.Figure(
        go.Heatmap(
            z=z,
            zmin=0,
            zmax=100 * top,
            colorscale=DENSITY_SCALE,
            xgap=0,
            ygap=0,
            hoverongaps=False,
            hovertemplate="%{z} % used<extra></extra>",
            colorbar=DENSITY_BAR,
        )
    )
    height, width = image.values.shape
    across = [line((-0.5, y), (width - 0.5, y)) for y in np.arange(rows, height, rows) - 0.5]
    down = [line((x, -0.5), (x, height - 0.5)) for x in np.arange(columns, width, columns) - 0.5]
    gaps = [
        {"x": left + (columns - 1) / 2, "y": top_row + (rows - 1) / 2, "text": "–", "showarrow": False}
        for top_row in range(0, height, rows)
        for left in range(0, width, columns)
        if absent[top_row : top_row + rows, left : left + columns].all()
    ]
    figure.update_layout(shapes=[*across, *down], annotations=gaps)
    plain(figure, len(image.layers))
    figure.update_layout(height=130 + 68 * len(image.layers), margin_r=8)
    name_matrices(figure, image.layers, image.roles, image.cells)
    return figure


def overlap_figure(stats: SubnetworkStats, space: ConceptSpace) -> go.Figure | None:
    """How alike each pair of subnetworks is, beside what chance gives: bars, or of many pairs a matrix whose
    full shade is what chance gives, or the most there is where that is more.

    None where no two of them share a weight: there is nothing to draw.

    >>> from sparsecbm_core.explain import subnetwork_stats
    >>> stats = subnetwork_stats(model.masks, model.cbm.matrices)
    >>> [bars.name for bars in overlap_figure(stats, model.space).data]
    ['This pair', 'By chance']
    """
    if stats.disjoint:
        return None
    if len(stats.overlaps) > PAIRS_AS_BARS:
        return _overlap_matrix(stats, space)
    return paired_bars(
        [f"{space.title(pair.first)} and {space.title(pair.second)}" for pair in stats.overlaps],
        ("This pair", [pair.jaccard for pair in stats.overlaps]),
        ("By chance", [pair.chance_by_matrix for pair in stats.overlaps]),
    )


def _overlap_matrix(stats: SubnetworkStats, space: ConceptSpace) -> go.Figure:
    names = list(stats.concepts)
    values = np.zeros((len(names), len(names)))
    texts = [[""] * len(names) for _ in names]  # nothing where a concept meets itself
    for pair in stats.overlaps:
        i, j = names.index(pair.first), names.index(pair.second)
        values[i, j] = values[j, i] = pair.jaccard
        texts[i][j] = texts[j][i] = percent(pair.jaccard)
    ends = (0.0, max(stats.mean_chance or 0.0, float(values.max())))
    return matrix_figure(values.tolist(), texts, list(map(space.title, names)), "shared with", ends)


def shared_by_figure(stats: SubnetworkStats) -> go.Figure:
    """How many weights are kept by none, one, two … of the concepts, up to the first number that none is
    kept by.

    >>> from sparsecbm_core.explain import subnetwork_stats
    >>> shared_by_figure(subnetwork_stats(model.masks, model.cbm.matrices)).data[0].type
    'bar'
    """
    last = max(n for n, count in enumerate(stats.shared_by) if count)
    counts = stats.shared_by[: last + 2]
    titles = [shared_title(n, len(stats.concepts)) for n in range(len(counts))]
    shares = [count / stats.total for count in counts]
    return share_bars(titles, shares, [NEUTRAL] + [FOR] * (len(counts) - 1))

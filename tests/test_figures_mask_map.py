"""The picture of where a mask changed."""

from __future__ import annotations

import numpy as np

from sparsecbm_core.explain.mask_changes import block_changes, mask_changes
from sparsecbm_core.figures.mask_map import flip_map_figure
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.roles import MatrixInfo

INFOS = (MatrixInfo("a", 0, "query", (2, 4)), MatrixInfo("b", 1, "key", (2, 4)))


def test_a_cross_and_a_square_lie_in_their_own_blocks() -> None:
    before = np.array([[[1, 0, 0, 0], [0, 0, 0, 0]]], dtype=bool)
    after = np.array([[[0, 0, 0, 0], [0, 0, 0, 1]]], dtype=bool)
    old, new = (MaskSet.from_bool(("x",), {"a": before, "b": bits}) for bits in (before, after))
    changes = mask_changes(old, new, INFOS, "x")
    figure = flip_map_figure(changes, {"b": block_changes(old, new, "x", "b", 2, 4)})
    layout, dropped, grown = figure.data
    assert (dropped.name, dropped.marker.symbol) == ("Dropped", "x")
    assert (grown.name, grown.marker.symbol) == ("Grown", "square")
    # "b" is the second matrix of the second layer: from 0.5 to 1.5 both ways.
    assert np.allclose([*dropped.x, *dropped.y], [0.5 + 0.3 / 4, 0.5 + 0.5 / 2])
    assert np.allclose([*grown.x, *grown.y], [0.5 + 3.7 / 4, 0.5 + 1.5 / 2])
    # A matrix that a layer does not have is a gap.
    assert np.isnan(layout.z).tolist() == [[False, True], [True, False]]


def test_nothing_changed_is_no_mark() -> None:
    bits = np.ones((1, 2, 4), dtype=bool)
    masks = MaskSet.from_bool(("x",), {"a": bits, "b": bits})
    figure = flip_map_figure(mask_changes(masks, masks, INFOS, "x"), {})
    assert [len(trace.x) for trace in figure.data[1:]] == [0, 0]

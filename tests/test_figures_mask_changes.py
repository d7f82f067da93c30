"""Figures of masks before and after hold the counts of the results, as bytes, and signs beside colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.mask_changes import block_changes, block_density, mask_changes
from sparsecbm_core.explain.mask_windows import pair_window, window
from sparsecbm_core.figures import (
    block_changes_figure,
    blocks_figure,
    changes_figure,
    pair_window_figure,
    window_figure,
)
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.roles import MatrixInfo

INFOS = (
    MatrixInfo("a", 0, "query", (2, 4)),
    MatrixInfo("b", 0, "key", (1, 3)),
    MatrixInfo("c", 1, "query", (1, 2)),
)
SPACE = ConceptSpace(("x", "y"), ("no", "yes"), ("0", "1"), {"x": "Food", "y": "<b>Service</b>"})


def masks(a: list[list[int]], b: list[list[int]], c: list[list[int]]) -> MaskSet:
    rows = {"a": a, "b": b, "c": c}
    bits = {name: np.array([row, np.ones_like(row)], dtype=bool) for name, row in rows.items()}
    return MaskSet.from_bool(("x", "y"), bits)


BEFORE = masks([[1, 1, 0, 0], [0, 1, 0, 1]], [[1, 1, 0]], [[1, 0]])
AFTER = masks([[1, 0, 0, 1], [0, 1, 0, 1]], [[0, 0, 1]], [[1, 0]])


def trace(figure: Any, name: str) -> Any:
    return next(item for item in figure.data if item.name is not None and item.name.startswith(name))


def points(item: Any) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(item.x, item.y, strict=True) if x is not None]


def test_the_overview_says_what_was_dropped_and_grown() -> None:
    figure = changes_figure(mask_changes(BEFORE, AFTER, INFOS, "x"))
    notes = {(note.y, note.x): note.text for note in figure.layout.annotations}
    assert notes == {(0, 0): "−1<br>+1", (0, 1): "−2<br>+1", (1, 0): "0", (1, 1): "–"}
    heat = figure.data[0]
    assert heat.z.dtype == np.uint8
    assert heat.z.tolist() == [[170, 255], [0, 0]]  # 2 of 3 flips, 3 of 3
    assert list(figure.layout.yaxis.ticktext) == ["1", "2"]
    assert list(figure.layout.xaxis.ticktext) == ["query", "key"]
    assert [tuple(values) for values in trace(figure, "pick").customdata] == [
        (0, 0, "a", 1, 1, 3),
        (0, 1, "b", 2, 1, 0),
        (1, 0, "c", 0, 0, 1),
    ]
    unchanged = changes_figure(mask_changes(BEFORE, BEFORE, INFOS, "x"))
    assert not unchanged.data[0].z.any()


def test_blocks_show_their_density_and_can_be_chosen() -> None:
    figure = blocks_figure(block_density(BEFORE, "x", "a", 1, 2))
    heat, pick = figure.data
    assert heat.z.dtype == np.uint8
    assert heat.z.tolist() == [[75, 25]]
    assert (list(heat.x), list(heat.y)) == ([0, 2, 4], [0, 2])
    assert heat.zmax == 75
    assert [tuple(values) for values in pick.customdata] == [(0, 0, 0, 0, 3, 4), (0, 1, 0, 2, 1, 4)]
    assert points(pick) == [(1, 1), (3, 1)]
    assert pick.marker.opacity == 0
    assert blocks_figure(block_density(BEFORE, "x", "a", 1, 2), top=0.8).data[0].zmax == 80


def test_changed_blocks_bear_crosses_and_squares() -> None:
    figure = block_changes_figure(block_changes(BEFORE, AFTER, "x", "b", 1, 2))  # [1 | 1 0] → [0 | 0 1]
    dropped, grown = trace(figure, "Dropped 2"), trace(figure, "Grown 1")
    assert (dropped.marker.symbol, grown.marker.symbol) == ("x", "square")
    assert points(dropped) == [pytest.approx((0.5 - 0.22, 0.5)), pytest.approx((2 - 0.44, 0.5))]
    assert points(grown) == [pytest.approx((2 + 0.44, 0.5))]
    assert [tuple(values) for values in trace(figure, "pick").customdata] == [
        (0, 0, 0, 0, 1, 0),
        (0, 1, 0, 1, 1, 1),
    ]
    assert figure.data[0].z.dtype == np.uint8
    nothing = block_changes_figure(block_changes(BEFORE, BEFORE, "x", "b", 1, 2))
    assert points(trace(nothing, "Dropped 0")) == points(trace(nothing, "Grown 0")) == []


def test_more_changes_make_larger_marks() -> None:
    before, after = np.ones((1, 1, 8), dtype=bool), np.zeros((1, 1, 8), dtype=bool)
    after[0, 0, 0:3] = True  # left half: one dropped, right half: four
    sets = (MaskSet.from_bool(("x",), {"a": bits}) for bits in (before, after))
    sizes = trace(block_changes_figure(block_changes(*sets, "x", "a", 1, 2)), "Dropped 5").marker.size
    assert sizes[0] < sizes[1]


def test_a_window_shows_every_weight_and_marks_what_changed() -> None:
    figure = window_figure(window(BEFORE, AFTER, "x", "a", 0, 1, 3))
    heat = figure.data[0]
    assert heat.z.dtype == np.uint8
    assert heat.z.tolist() == [[2, 0, 3], [1, 0, 1]]
    assert (heat.x0, heat.y0) == (1, 0)
    assert [list(row) for row in heat.text] == [["Dropped", "Pruned", "Grown"], ["Used", "Pruned", "Used"]]
    assert [item.name for item in figure.data[1:]] == ["Pruned 2", "Used 2", "Dropped 1", "Grown 1"]
    dropped, grown = trace(figure, "Dropped"), trace(figure, "Grown")
    assert (points(dropped), dropped.marker.symbol) == ([(1, 0)], "x")
    assert (points(grown), grown.marker.symbol) == ([(3, 0)], "square")
    assert list(figure.layout.xaxis.range) == [0.5, 3.5]
    assert list(figure.layout.yaxis.range) == [1.5, -0.5]


def test_few_changes_are_drawn_large_enough_to_be_found() -> None:
    before = np.zeros((1, 96, 96), dtype=bool)
    few, many = before.copy(), ~before
    few[0, 5, 7] = True
    start = MaskSet.from_bool(("x",), {"a": before})
    sizes = [
        trace(
            window_figure(window(start, MaskSet.from_bool(("x",), {"a": bits}), "x", "a", 0, 0, 96)), "Grown"
        )
        for bits in (few, many)
    ]
    assert sizes[0].marker.size == 8 > sizes[1].marker.size


def test_two_concepts_side_by_side() -> None:
    figure = pair_window_figure(pair_window(BEFORE, "x", "y", "a", 0, 0, 4), SPACE)
    names = ["Neither 0", "Only Food 0", "Only &lt;b&gt;Service&lt;/b&gt; 4", "Both 4"]
    assert [item.name for item in figure.data[1:]] == names
    assert figure.data[0].z.tolist() == [[3, 3, 2, 2], [2, 3, 2, 3]]
    symbols = {trace(figure, name).marker.symbol for name in names[2:]}
    assert len(symbols) == 2
    assert points(trace(figure, "Both")) == [(0, 0), (1, 0), (1, 1), (3, 1)]

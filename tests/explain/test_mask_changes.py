"""What changed in a mask, against counts made by hand and against plain booleans."""

from __future__ import annotations

import json
import time
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.mask_changes import block_changes, block_density, mask_changes
from sparsecbm_core.explain.mask_windows import busiest_window, fullest_window, pair_window, window
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.roles import MatrixInfo

INFOS = (MatrixInfo("b", 1, "key", (1, 3)), MatrixInfo("a", 0, "query", (2, 4)))


def masks(a: list[list[int]], b: list[list[int]]) -> MaskSet:
    """Concept x as given, concept y keeping everything."""
    rows = {"a": a, "b": b}
    bits = {name: np.array([row, np.ones_like(row)], dtype=bool) for name, row in rows.items()}
    return MaskSet.from_bool(("x", "y"), bits)


BEFORE = masks([[1, 1, 0, 0], [0, 0, 0, 1]], [[1, 1, 0]])
AFTER = masks([[1, 0, 0, 1], [0, 0, 0, 1]], [[1, 0, 1]])


def drawn(random: Random, shape: tuple[int, int], share: float) -> tuple[np.ndarray, np.ndarray]:
    """A mask of any density, and the same with about ``share`` of its bits turned over."""
    generator = np.random.default_rng(random.getrandbits(32))
    before = generator.random(shape) < generator.random()
    return before, before ^ (generator.random(shape) < share)


def one(mask: np.ndarray) -> MaskSet:
    return MaskSet.from_bool(("x",), {"a": mask[None]})


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))
randoms = st.randoms(use_true_random=False)


def test_changes_counted_by_hand() -> None:
    changes = mask_changes(BEFORE, AFTER, INFOS, "x")
    found = [
        (m.matrix, m.layer, m.kept_before, m.kept_after, m.kept, m.dropped, m.grown) for m in changes.matrices
    ]
    assert found == [("a", 0, 3, 3, 2, 1, 1), ("b", 1, 2, 2, 1, 1, 1)]
    assert (changes.layers, changes.roles) == ((0, 1), ("query", "key"))
    assert changes.rows()[0] == {
        "layer": "1",
        "matrix": "query",
        "size": 8,
        "kept_before": 3,
        "kept_after": 3,
        "kept": 2,
        "dropped": 1,
        "grown": 1,
    }
    total = {"size": 11, "kept_before": 5, "kept_after": 5, "kept": 3, "dropped": 2, "grown": 2}
    assert changes.total_row() == {"layer": "all", "matrix": "", **total}
    exported = json.loads(json.dumps(changes.to_dict()))
    assert {name: exported[name] for name in total} == total
    assert exported["matrices"][1]["grown"] == 1
    untouched = mask_changes(BEFORE, AFTER, INFOS, "y")
    assert (untouched.kept, untouched.dropped, untouched.grown) == (11, 0, 0)


@given(shapes, st.floats(0, 1), randoms)
def test_sums_add_up(shape: tuple[int, int], share: float, random: Random) -> None:
    before, after = drawn(random, shape, share)
    changes = mask_changes(one(before), one(after), [MatrixInfo("a", 0, "query", shape)], "x")
    assert changes.kept + changes.dropped == changes.kept_before == before.sum()
    assert changes.kept + changes.grown == changes.kept_after == after.sum()
    assert changes.dropped + changes.grown == (before ^ after).sum()


@given(shapes, st.integers(1, 12), st.integers(1, 12), randoms)
def test_blocks_add_up_to_the_matrix(shape: tuple[int, int], rows: int, columns: int, random: Random) -> None:
    before, after = drawn(random, shape, 0.2)
    blocks = block_changes(one(before), one(after), "x", "a", rows, columns)
    assert blocks.dropped.sum() == (before & ~after).sum()
    assert blocks.grown.sum() == (after & ~before).sum()
    assert sum(row["dropped"] + row["grown"] for row in blocks.rows()) == (before ^ after).sum()
    density = block_density(one(before), "x", "a", rows, columns)
    assert density.kept.shape == (min(rows, shape[0]), min(columns, shape[1]))
    assert density.kept.sum() == before.sum()
    assert density.sizes.sum() == before.size
    assert density.sizes.min() >= 1
    for (i, j), share in np.ndenumerate(density.density):
        top, left = density.origin(i, j)
        height, width = np.diff(density.row_edges)[i], np.diff(density.column_edges)[j]
        assert share == pytest.approx(before[top : top + height, left : left + width].mean())


def test_blocks_by_hand() -> None:
    density = block_density(BEFORE, "x", "a", 1, 2)
    assert density.kept.tolist() == [[2, 1]]
    assert density.density.tolist() == [[0.5, 0.25]]
    assert density.density.dtype == np.float32
    assert density.rows()[1] == {"rows": "0–1", "columns": "2–3", "kept": 1, "of": 4, "share": 0.25}
    blocks = block_changes(BEFORE, AFTER, "x", "a", 2, 2)
    assert (blocks.dropped.tolist(), blocks.grown.tolist()) == ([[1, 0], [0, 0]], [[0, 1], [0, 0]])
    assert blocks.rows() == [
        {"rows": "0–0", "columns": "0–1", "dropped": 1, "grown": 0},
        {"rows": "0–0", "columns": "2–3", "dropped": 0, "grown": 1},
    ]
    assert blocks.origin(1, 1) == (1, 2)
    assert json.loads(json.dumps(blocks.to_dict()))["row_edges"] == [0, 1, 2]
    assert json.loads(json.dumps(density.to_dict()))["kept"] == [[2, 1]]


def test_windows_by_hand() -> None:
    cut = window(BEFORE, AFTER, "x", "a", 0, 1, 3)
    assert cut.codes.dtype == np.uint8
    assert cut.codes.tolist() == [[2, 0, 3], [0, 0, 1]]
    assert cut.counts == {"pruned": 3, "kept": 1, "dropped": 1, "grown": 1}
    assert cut.rows()[2] == {"state": "dropped", "weights": 1}
    assert cut.cells()[2] == {"row": 0, "column": 3, "state": "grown"}
    exported = json.loads(json.dumps(cut.to_dict()))
    assert (exported["concept"], exported["top"], exported["left"]) == ("x", 0, 1)
    pair = pair_window(BEFORE, "x", "y", "a", 0, 0, 2)
    assert pair.codes.tolist() == [[3, 3], [2, 2]]
    assert pair_window(BEFORE, "y", "x", "a", 0, 0, 2).codes.tolist() == [[3, 3], [1, 1]]
    assert pair.counts == {"neither": 0, "first": 0, "second": 2, "both": 2}
    assert json.loads(json.dumps(pair.to_dict()))["second"] == "y"


@given(shapes, st.integers(1, 96), st.data())
def test_windows_agree_with_the_whole_mask(shape: tuple[int, int], size: int, data: st.DataObject) -> None:
    before, after = drawn(data.draw(randoms), shape, 0.2)
    top, left = (data.draw(st.integers(0, length - 1)) for length in shape)
    cut = window(one(before), one(after), "x", "a", top, left, size)
    place = np.s_[top : top + size, left : left + size]
    assert (np.isin(cut.codes, (1, 2)) == before[place]).all()
    assert (np.isin(cut.codes, (1, 3)) == after[place]).all()
    assert sum(cut.counts.values()) == cut.codes.size == before[place].size
    both = MaskSet.from_bool(("x", "y"), {"a": np.stack([before, after])})
    pair = pair_window(both, "x", "y", "a", top, left, size)
    assert (pair.codes == before[place] + 2 * after[place]).all()


@given(shapes, st.integers(1, 12), randoms)
def test_a_window_opens_where_most_is_to_be_seen(shape: tuple[int, int], size: int, random: Random) -> None:
    before, after = drawn(random, shape, 0.1)
    for find, bits in ((busiest_window, before ^ after), (fullest_window, before | after)):
        seen = {
            (i, j): int(bits[i : i + size, j : j + size].sum())
            for i in range(0, shape[0], size)
            for j in range(0, shape[1], size)
        }
        first_of_equals = max(seen, key=lambda place: seen[place])
        assert find(one(before), one(after), "x", "a", size) == first_of_equals


@pytest.mark.parametrize("place", [(-1, 0, 2), (2, 0, 2), (0, 4, 2), (0, 0, 0), (0, 0, 97)])
def test_a_window_outside_the_matrix_is_refused(place: tuple[int, int, int]) -> None:
    message = "1 to 96 weights" if place[2] != 2 else r"rows are 0 … 1, columns 0 … 3"
    with pytest.raises(InputError, match=message):
        window(BEFORE, AFTER, "x", "a", *place)
    with pytest.raises(InputError, match=message):
        pair_window(BEFORE, "x", "y", "a", *place)


@pytest.mark.parametrize("grid", [(0, 1), (1, -2), (101, 100)])
def test_blocks_out_of_range_are_refused(grid: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="at most 10,000"):
        block_density(BEFORE, "x", "a", *grid)
    with pytest.raises(InputError, match="at most 10,000"):
        block_changes(BEFORE, AFTER, "x", "a", *grid)


def test_what_does_not_fit_is_refused(tiny_model: ConceptModel) -> None:
    assert tiny_model.masks is not None
    with pytest.raises(InputError, match="different models"):
        window(BEFORE, tiny_model.masks, "x", "a", 0, 0, 2)
    with pytest.raises(InputError, match="different models"):
        mask_changes(BEFORE, tiny_model.masks, INFOS, "x")
    with pytest.raises(InputError, match="not for these matrices"):
        mask_changes(BEFORE, AFTER, INFOS[:1], "x")
    with pytest.raises(InputError, match="unknown concept 'z'; choose one of: x, y"):
        mask_changes(BEFORE, AFTER, INFOS, "z")
    with pytest.raises(InputError, match="unknown matrix 'c'; choose one of: a, b"):
        block_changes(BEFORE, AFTER, "x", "c", 1, 1)
    with pytest.raises(InputError, match="1 to 96"):
        busiest_window(BEFORE, AFTER, "x", "a", 97)
    with pytest.raises(InputError, match="1 to 96"):
        fullest_window(BEFORE, AFTER, "x", "a", 97)
    with pytest.raises(InputError, match=r"no block \(2, 0\); rows 0 … 1, columns 0 … 0"):
        block_density(BEFORE, "x", "a", 2, 1).origin(2, 0)


def test_a_large_matrix_takes_no_time() -> None:
    generator = np.random.default_rng(0)
    before = generator.random((384, 1536)) < 0.25
    after = before ^ (generator.random(before.shape) < 0.01)
    pair, infos = (one(before), one(after)), [MatrixInfo("a", 0, "query", before.shape)]
    calls = (
        lambda: mask_changes(*pair, infos, "x"),
        lambda: block_changes(*pair, "x", "a", 48, 96),
        lambda: block_density(pair[0], "x", "a", 48, 96),
        lambda: window(*pair, "x", "a", *busiest_window(*pair, "x", "a", 96), 96),
    )
    for call in calls:
        start = time.process_time()
        call()
        assert time.process_time() - start < 0.05

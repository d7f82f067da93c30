"""A part of one matrix, weight by weight: what became of each, or which of two concepts keeps it.

    top, left = busiest_window(before, after, "food", matrix, size=48)
    window(before, after, "food", matrix, top, left, size=48)  # MaskWindow, codes 0 … 3 as in STATES
    pair_window(masks, "food", "service", matrix, top, left, size=48)  # PairWindow, codes as in PAIR_STATES

Rows and columns count from 0, as in the matrix itself: row = output, column = input of the layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.mask_changes import comparable
from sparsecbm_core.models.masks import MaskSet

MAX_SIZE = 96  # cells along a side: more could not be told apart on a screen
STATES = ("pruned", "kept", "dropped", "grown")
PAIR_STATES = ("neither", "first", "second", "both")


@dataclass(frozen=True, eq=False)
class Window:
    """Weights (top … , left … ) of a matrix of ``shape`` (O, I), one of four ``states`` each.

    ``codes`` (rows, columns) uint8 are positions in ``states``; at the edge of the matrix there are
    fewer of them than were asked for.
    """

    states: ClassVar[tuple[str, ...]]

    matrix: str
    shape: tuple[int, int]
    top: int
    left: int
    codes: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """Cells per state; they add up to all cells."""
        counts = np.bincount(self.codes.reshape(-1), minlength=len(self.states))
        return dict(zip(self.states, counts.tolist(), strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """A table: one row per state."""
        return [{"state": state, "weights": count} for state, count in self.counts.items()]

    def cells(self) -> list[dict[str, Any]]:
        """The long table: one row per weight."""
        return [
            {"row": self.top + i, "column": self.left + j, "state": self.states[code]}
            for (i, j), code in np.ndenumerate(self.codes)
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "matrix": self.matrix,
            "shape": list(self.shape),
            "top": self.top,
            "left": self.left,
            "states": list(self.states),
            "codes": self.codes.tolist(),
            "counts": self.counts,
        }


@dataclass(frozen=True, eq=False)
class MaskWindow(Window):
    """What became of each weight for ``concept``: 0 pruned before and after, 1 kept, 2 dropped, 3 grown."""

    states: ClassVar[tuple[str, ...]] = STATES

    concept: str

    def to_dict(self) -> dict[str, Any]:
        return {"concept": self.concept, **super().to_dict()}


@dataclass(frozen=True, eq=False)
class PairWindow(Window):
    """Which of two concepts keeps each weight: 0 neither, 1 only the first, 2 only the second, 3 both."""

    states: ClassVar[tuple[str, ...]] = PAIR_STATES

    first: str
    second: str

    def to_dict(self) -> dict[str, Any]:
        return {"first": self.first, "second": self.second, **super().to_dict()}


def window(
    before: MaskSet, after: MaskSet, concept: str, matrix: str, top: int, left: int, size: int
) -> MaskWindow:
    """``size`` × ``size`` weights from (``top``, ``left``), fewer at the edge.

    Raises `InputError` for mask sets of different models, an unknown concept or matrix, a corner
    outside the matrix, and a size outside 1 … `MAX_SIZE`.
    """
    comparable(before, after, concept)
    old, new = (_cut(masks, concept, matrix, top, left, size) for masks in (before, after))
    codes = np.select([old & new, old, new], [np.uint8(1), np.uint8(2), np.uint8(3)], np.uint8(0))
    return MaskWindow(matrix, before.shapes[matrix], top, left, codes, concept)


def pair_window(
    masks: MaskSet, first: str, second: str, matrix: str, top: int, left: int, size: int
) -> PairWindow:
    """The same cut through two concepts of one mask set; errors as in `window`."""
    a, b = (_cut(masks, concept, matrix, top, left, size) for concept in (first, second))
    codes = a.astype(np.uint8) + 2 * b.astype(np.uint8)
    return PairWindow(matrix, masks.shapes[matrix], top, left, codes, first, second)


def busiest_window(before: MaskSet, after: MaskSet, concept: str, matrix: str, size: int) -> tuple[int, int]:
    """(top, left) of the window with most flips among those that tile the matrix; the first of equals."""
    comparable(before, after, concept)
    return _fullest(before.concept_bool(matrix, concept) ^ after.concept_bool(matrix, concept), size)


def fullest_window(before: MaskSet, after: MaskSet, concept: str, matrix: str, size: int) -> tuple[int, int]:
    """The same for weights that either mask keeps: where there is something to see."""
    comparable(before, after, concept)
    return _fullest(before.concept_bool(matrix, concept) | after.concept_bool(matrix, concept), size)


def _fullest(bits: np.ndarray, size: int) -> tuple[int, int]:
    """(top, left) of the tile with most of the (O, I) ``bits``."""
    _check_size(size)
    rows, columns = (np.arange(0, length, size) for length in bits.shape)
    across = np.add.reduceat(bits, columns, axis=1, dtype=np.int64)
    sums = np.add.reduceat(across, rows, axis=0)
    i, j = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(rows[i]), int(columns[j])


def _cut(masks: MaskSet, concept: str, matrix: str, top: int, left: int, size: int) -> np.ndarray:
    """(rows, columns) bool of one concept."""
    _check_size(size)
    mask = masks.concept_bool(matrix, concept)  # (O, I)
    rows, columns = mask.shape
    if not (0 <= top < rows and 0 <= left < columns):
        raise InputError(
            f"there is no weight at row {top}, column {left} of {matrix}; "
            f"rows are 0 … {rows - 1}, columns 0 … {columns - 1}"
        )
    return mask[top : top + size, left : left + size]


def _check_size(size: int) -> None:
    if not 1 <= size <= MAX_SIZE:
        raise InputError(f"a window is 1 to {MAX_SIZE} weights wide, got {size}")

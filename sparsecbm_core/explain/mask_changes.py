"""What changed between two mask sets of one model, counted exactly: per matrix, and per block of a matrix.

    changes = mask_changes(before, after, model.cbm.matrices, "food")  # MaskChanges
    density = block_density(after, "food", matrix, rows=24, columns=24)  # BlockDensity
    blocks = block_changes(before, after, "food", matrix, rows=24, columns=24)  # BlockChanges
    blocks.origin(row, column)  # (top, left) of a block, for `mask_windows.window`

Single weights are shown by `mask_windows`. All of it counts on packed bits and takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.explain.subnetworks import MAX_CELLS, ordered_matrices
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.roles import MatrixInfo, role_order


@dataclass(frozen=True)
class MatrixChange:
    """One matrix: ``kept`` both before and after, ``dropped`` only before, ``grown`` only after.

    kept + dropped = kept_before and kept + grown = kept_after, exactly.
    """

    matrix: str
    layer: int
    role: str
    shape: tuple[int, int]
    size: int
    kept_before: int
    kept_after: int
    kept: int
    dropped: int
    grown: int


@dataclass(frozen=True)
class MaskChanges:
    """What changed in the subnetwork of ``concept``, matrix by matrix in the order a text passes them.

    ``layers`` and ``roles`` are those of all matrices, in reading order. The properties are sums over
    the matrices.
    """

    concept: str
    layers: tuple[int, ...]
    roles: tuple[str, ...]
    matrices: tuple[MatrixChange, ...]

    @property
    def size(self) -> int:
        """L: prunable weights."""
        return sum(item.size for item in self.matrices)

    @property
    def kept_before(self) -> int:
        return sum(item.kept_before for item in self.matrices)

    @property
    def kept_after(self) -> int:
        return sum(item.kept_after for item in self.matrices)

    @property
    def kept(self) -> int:
        return sum(item.kept for item in self.matrices)

    @property
    def dropped(self) -> int:
        return sum(item.dropped for item in self.matrices)

    @property
    def grown(self) -> int:
        return sum(item.grown for item in self.matrices)

    def rows(self) -> list[dict[str, Any]]:
        """A table: one row per matrix, layers counted from 1."""
        return [
            {"layer": str(item.layer + 1), "matrix": item.role, **_counts(item)} for item in self.matrices
        ]

    def total_row(self) -> dict[str, Any]:
        """The last row of that table: the sums of its columns."""
        return {"layer": "all", "matrix": "", **_counts(self)}

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), **_counts(self)}


def _counts(item: MatrixChange | MaskChanges) -> dict[str, int]:
    return {
        "size": item.size,
        "kept_before": item.kept_before,
        "kept_after": item.kept_after,
        "kept": item.kept,
        "dropped": item.dropped,
        "grown": item.grown,
    }


def mask_changes(
    before: MaskSet, after: MaskSet, matrices: Sequence[MatrixInfo], concept: str
) -> MaskChanges:
    """Count what was dropped and grown; ``matrices`` (`SparseCBM.matrices`) tell layers and roles.

    Raises `InputError` for mask sets of different models or an unknown concept.

    >>> changes = mask_changes(model.masks, done.corrected.masks, model.cbm.matrices, "food")
    >>> (changes.dropped, changes.grown) == (done.dropped, done.grown)
    True
    """
    ordered, k = ordered_matrices(before, matrices), comparable(before, after, concept)
    items = []
    for info in ordered:
        old, new = before.packed[info.name][k], after.packed[info.name][k]
        kept_before, kept = _ones(old), _ones(old & new)
        kept_after = _ones(new)
        items.append(
            MatrixChange(
                info.name,
                info.layer,
                info.role,
                info.shape,
                info.size,
                kept_before,
                kept_after,
                kept,
                dropped=kept_before - kept,
                grown=kept_after - kept,
            )
        )
    layers = tuple(sorted({info.layer for info in ordered}))
    roles = tuple(sorted({info.role for info in ordered}, key=role_order))
    return MaskChanges(concept, layers, roles, tuple(items))


@dataclass(frozen=True, eq=False)
class Blocks:
    """A matrix of ``shape`` (O, I) cut into blocks of whole weights, as equal as they can be.

    ``row_edges`` (R+1,) and ``column_edges`` (C+1,): block (i, j) holds the weights of rows
    row_edges[i] … row_edges[i+1] − 1, and so for columns.
    """

    concept: str
    matrix: str
    shape: tuple[int, int]
    row_edges: np.ndarray
    column_edges: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Weights per block, (R, C)."""
        return np.outer(np.diff(self.row_edges), np.diff(self.column_edges))

    def origin(self, row: int, column: int) -> tuple[int, int]:
        """(top, left) of block (``row``, ``column``)."""
        rows, columns = len(self.row_edges) - 1, len(self.column_edges) - 1
        if not (0 <= row < rows and 0 <= column < columns):
            raise InputError(
                f"there is no block ({row}, {column}); rows 0 … {rows - 1}, columns 0 … {columns - 1}"
            )
        return int(self.row_edges[row]), int(self.column_edges[column])

    def _place(self, row: int, column: int) -> dict[str, Any]:
        """Where a block lies, as a table says it: first and last row and column."""
        return {
            "rows": f"{self.row_edges[row]}–{self.row_edges[row + 1] - 1}",
            "columns": f"{self.column_edges[column]}–{self.column_edges[column + 1] - 1}",
        }

    def _header(self) -> dict[str, Any]:
        return {
            "concept": self.concept,
            "matrix": self.matrix,
            "shape": list(self.shape),
            "row_edges": self.row_edges.tolist(),
            "column_edges": self.column_edges.tolist(),
        }


@dataclass(frozen=True, eq=False)
class BlockDensity(Blocks):
    """Weights ``kept`` in every block, (R, C) int."""

    kept: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """Share kept per block, (R, C) float32."""
        return (self.kept / self.sizes).astype(np.float32)

    def rows(self) -> list[dict[str, Any]]:
        """A table: one row per block."""
        sizes = self.sizes
        return [
            {**self._place(i, j), "kept": int(count), "of": int(sizes[i, j]), "share": count / sizes[i, j]}
            for (i, j), count in np.ndenumerate(self.kept)
        ]

    def to_dict(self) -> dict[str, Any]:
        return {**self._header(), "kept": self.kept.tolist()}


@dataclass(frozen=True, eq=False)
class BlockChanges(Blocks):
    """Weights ``dropped`` and ``grown`` in every block, (R, C) int each; their sums are the matrix's."""

    dropped: np.ndarray
    grown: np.ndarray

    def rows(self) -> list[dict[str, Any]]:
        """A table: one row per block in which anything changed."""
        return [
            {**self._place(i, j), "dropped": int(self.dropped[i, j]), "grown": int(self.grown[i, j])}
            for i, j in np.argwhere(self.dropped + self.grown).tolist()
        ]

    def to_dict(self) -> dict[str, Any]:
        return {**self._header(), "dropped": self.dropped.tolist(), "grown": self.grown.tolist()}


def block_density(masks: MaskSet, concept: str, matrix: str, rows: int, columns: int) -> BlockDensity:
    """How much of every block is kept; no more blocks than the matrix has weights along a side.

    Raises `InputError` for an unknown concept or matrix, and for more than `MAX_CELLS` blocks.
    """
    kept = masks.concept_bool(matrix, concept)
    edges = _edges(kept.shape, rows, columns)
    return BlockDensity(concept, matrix, masks.shapes[matrix], *edges, kept=_sums(kept, *edges))


def block_changes(
    before: MaskSet, after: MaskSet, concept: str, matrix: str, rows: int, columns: int
) -> BlockChanges:
    """What was dropped and grown in every block; blocks and errors as in `block_density`."""
    comparable(before, after, concept)
    old, new = before.concept_bool(matrix, concept), after.concept_bool(matrix, concept)
    edges = _edges(old.shape, rows, columns)
    return BlockChanges(
        concept,
        matrix,
        before.shapes[matrix],
        *edges,
        dropped=_sums(old & ~new, *edges),
        grown=_sums(new & ~old, *edges),
    )


def comparable(before: MaskSet, after: MaskSet, concept: str) -> int:
    """The concept's row in the packed bits of both; `InputError` where they cannot be compared."""
    if before.concepts != after.concepts or dict(before.shapes) != dict(after.shapes):
        raise InputError("these masks are of different models and cannot be compared")
    if concept not in before.concepts:
        raise InputError(one_of(concept, before.concepts, "concept"))
    return before.concepts.index(concept)


def _ones(bits: np.ndarray) -> int:
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


def _edges(shape: tuple[int, ...], rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Where blocks begin and end, (R+1,) and (C+1,)."""
    if min(rows, columns) < 1 or rows * columns > MAX_CELLS:
        raise InputError(f"blocks must be at least 1 × 1 and at most {MAX_CELLS:,}, got {rows} × {columns}")
    cells = [min(count, size) for count, size in zip((rows, columns), shape, strict=True)]
    down, across = (np.arange(n + 1) * size // n for n, size in zip(cells, shape, strict=True))
    return down, across


def _sums(cells: np.ndarray, row_edges: np.ndarray, column_edges: np.ndarray) -> np.ndarray:
    """Ones per block: (O, I) bool → (R, C) int64."""
    across = np.add.reduceat(cells, column_edges[:-1], axis=1, dtype=np.int64)
    return np.add.reduceat(across, row_edges[:-1], axis=0)

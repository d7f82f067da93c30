"""What the concepts' subnetworks are: how dense, where, and how much they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from sparsecbm_core.errors import InputError
from sparsecbm_core.models.masks import MaskSet, chance_jaccard
from sparsecbm_core.models.roles import MatrixInfo, role_order

MAX_CELLS = 10_000


@dataclass(frozen=True)
class MatrixDensity:
    """How much of one matrix a concept keeps: ``kept`` of ``size`` weights."""

    matrix: str
    layer: int
    role: str
    shape: tuple[int, int]
    kept: int
    size: int
    density: float


@dataclass(frozen=True)
class ConceptSubnetwork:
    """One concept's subnetwork: ``kept`` of the prunable weights, matrix by matrix in layer order."""

    concept: str
    kept: int
    density: float
    matrices: tuple[MatrixDensity, ...]


@dataclass(frozen=True)
class Overlap:
    """Weights that ``both`` concepts keep, and that ``either`` does.

    ``chance`` is the Jaccard index that two random masks of the same total densities have;
    ``chance_by_matrix`` that of random masks with the same density in every matrix, the fairer
    reference where layers differ: two concepts may agree on the layers that matter and on
    nothing inside them.
    """

    first: str
    second: str
    both: int
    either: int
    jaccard: float
    chance: float
    chance_by_matrix: float


@dataclass(frozen=True)
class SubnetworkStats:
    """Sizes and overlaps of K subnetworks over ``total`` prunable weights (L).

    ``shared_by[n]`` is the number of weights that exactly n concepts keep, n = 0 … K.
    ``total`` counts the linear weights inside the encoder's layers: embeddings, LayerNorms and
    biases are dense and shared by all concepts.
    """

    total: int
    concepts: Mapping[str, ConceptSubnetwork]
    overlaps: tuple[Overlap, ...]
    shared_by: tuple[int, ...]

    @property
    def mean_jaccard(self) -> float | None:
        """Mean over pairs; None for a single concept."""
        values = [pair.jaccard for pair in self.overlaps]
        return sum(values) / len(values) if values else None

    @property
    def mean_chance(self) -> float | None:
        """What random masks, as dense in every matrix, would have in its place."""
        values = [pair.chance_by_matrix for pair in self.overlaps]
        return sum(values) / len(values) if values else None

    @property
    def disjoint(self) -> bool:
        """Whether no two concepts share a weight."""
        return not any(pair.both for pair in self.overlaps)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "mean_jaccard": self.mean_jaccard}


def subnetwork_stats(masks: MaskSet, matrices: Sequence[MatrixInfo]) -> SubnetworkStats:
    """Count on the packed bits; ``matrices`` (`SparseCBM.matrices`) tell layers and roles.

    >>> subnetwork_stats(model.masks, model.cbm.matrices).concepts["food"].density
    0.25
    """
    matrices = ordered_matrices(masks, matrices)
    kept, total = masks.kept(), masks.total
    concepts = {}
    for concept in masks.concepts:
        rows = tuple(
            MatrixDensity(
                info.name,
                info.layer,
                info.role,
                info.shape,
                kept[concept][info.name],
                info.size,
                kept[concept][info.name] / info.size,
            )
            for info in matrices
        )
        count = sum(row.kept for row in rows)
        concepts[concept] = ConceptSubnetwork(concept, count, count / total, rows)
    overlaps = tuple(_overlap(masks, concepts[a], concepts[b]) for a, b in combinations(masks.concepts, 2))
    return SubnetworkStats(total, concepts, overlaps, _shared_by(masks))


def _overlap(masks: MaskSet, first: ConceptSubnetwork, second: ConceptSubnetwork) -> Overlap:
    both, either = masks.overlap(first.concept, second.concept)
    expected_both = expected_either = 0.0
    for a, b in zip(first.matrices, second.matrices, strict=True):
        expected = a.kept * b.kept / a.size
        expected_both += expected
        expected_either += a.kept + b.kept - expected
    return Overlap(
        first.concept,
        second.concept,
        both,
        either,
        both / either if either else 1.0,
        chance_jaccard(first.density, second.density),
        expected_both / expected_either if expected_either else 1.0,
    )


def _shared_by(masks: MaskSet) -> tuple[int, ...]:
    """Count, for n = 0 … K, the weights kept by n concepts: K bits added up in bit planes."""
    counts = np.zeros(len(masks.concepts) + 1, dtype=np.int64)
    for packed in masks.packed.values():
        planes: list[np.ndarray] = []  # planes[i] holds bit i of every weight's count
        for carry in packed:
            for i, plane in enumerate(planes):
                planes[i], carry = plane ^ carry, plane & carry
            if len(planes) < len(masks.concepts).bit_length():
                planes.append(carry)
        for n in range(1, len(counts)):
            match = np.full(packed.shape[1], 255, dtype=np.uint8)
            for i, plane in enumerate(planes):
                match &= plane if n >> i & 1 else ~plane
            counts[n] += np.bitwise_count(match).sum(dtype=np.int64)
    counts[0] = masks.total - counts.sum()  # not counted as bits: the padding bits are 0 as well
    return tuple(counts.tolist())


@dataclass(frozen=True, eq=False)
class DensityImage:
    """One concept's mask as a small picture: a row of blocks per layer, a column per role.

    ``values`` (layers · rows, roles · columns) float32: the density of each cell's patch of
    weights, NaN (None in JSON) where a layer has no matrix of that role. ``cells`` (rows, columns) of
    a block.
    """

    concept: str
    values: np.ndarray
    layers: tuple[int, ...]
    roles: tuple[str, ...]
    cells: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        values = [[None if math.isnan(value) else value for value in row] for row in self.values.tolist()]
        return {**asdict(self), "values": values}


def density_image(
    masks: MaskSet, matrices: Sequence[MatrixInfo], concept: str, cells: tuple[int, int] = (12, 12)
) -> DensityImage:
    """Pool the mask of ``concept`` to ``cells`` per matrix, fewer where that makes over 10 000 in all.

    Cells are of equal area, so that the mean of a block is the density of its matrix.

    >>> density_image(model.masks, model.cbm.matrices, "food", cells=(4, 4)).values.shape
    (8, 24)
    """
    matrices = ordered_matrices(masks, matrices)
    if min(cells) < 1:
        raise InputError(f"cells must be at least (1, 1), got {cells}")
    layers = tuple(sorted({info.layer for info in matrices}))
    roles = tuple(sorted({info.role for info in matrices}, key=role_order))
    shrink = min(1.0, (MAX_CELLS / (len(layers) * len(roles) * cells[0] * cells[1])) ** 0.5)
    rows, columns = (max(1, int(size * shrink)) for size in cells)
    values = np.full((len(layers) * rows, len(roles) * columns), np.nan, dtype=np.float32)
    for info in matrices:
        mask = masks.concept_bool(info.name, concept).astype(np.float32)  # (O, I)
        block = _pooling(rows, info.shape[0]) @ mask @ _pooling(columns, info.shape[1]).T
        top, left = layers.index(info.layer) * rows, roles.index(info.role) * columns
        values[top : top + rows, left : left + columns] = block
    return DensityImage(concept, values, layers, roles, (rows, columns))


def _pooling(cells: int, size: int) -> np.ndarray:
    """(cells, size) weights that average ``size`` values to ``cells`` of equal width."""
    edges = np.linspace(0, size, cells + 1)
    low, high = edges[:-1, None], edges[1:, None]
    position = np.arange(size)
    share = np.minimum(high, position + 1) - np.maximum(low, position)
    return (share.clip(min=0) * (cells / size)).astype(np.float32)


def ordered_matrices(masks: MaskSet, matrices: Sequence[MatrixInfo]) -> list[MatrixInfo]:
    """The matrices by layer and role; `InputError` if the masks are not for them."""
    given = {info.name: info.shape for info in matrices}
    if given != dict(masks.shapes):
        odd = sorted(set(given.items()) ^ set(masks.shapes.items()))[:2]
        raise InputError(f"the masks are not for these matrices, for example {odd}")
    return sorted(matrices, key=lambda info: (info.layer, role_order(info.role)))

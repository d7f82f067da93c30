"""Weight masks as values: one 0/1 bit per concept and prunable weight, packed, immutable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from sparsecbm_core.errors import CheckpointError, InputError, one_of

if TYPE_CHECKING:
    from sparsecbm_core.typing import BoolMask


@dataclass(frozen=True, eq=False)
class MaskSet:
    """M_k ∈ {0,1}^L for every concept k: which weights belong to its subnetwork (paper, Eq. 3).

    ``shapes`` maps a matrix name to (O, I); ``packed`` maps it to a read-only uint8 array
    (K, ⌈O·I/8⌉), big-endian bits in row-major order, padding bits 0. 10.6 M weights and four
    concepts take 5.3 MB.

    >>> masks = MaskSet.ones(("food",), {"layer.0": (2, 4)})
    >>> masks.sparsity(), masks.total
    ({'food': 0.0}, 8)
    """

    concepts: tuple[str, ...]
    shapes: Mapping[str, tuple[int, int]]
    packed: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        if set(self.shapes) != set(self.packed):
            raise CheckpointError(
                f"mask matrices {sorted(self.packed)} do not match the shapes given for {sorted(self.shapes)}"
            )
        for name, (rows, columns) in self.shapes.items():
            bits, width = self.packed[name], -(-rows * columns // 8)
            if bits.dtype != np.uint8 or bits.shape != (len(self.concepts), width):
                raise CheckpointError(
                    f"mask {name!r} has dtype {bits.dtype} and shape {bits.shape}; "
                    f"expected uint8 {(len(self.concepts), width)}"
                )
            padding = 8 * width - rows * columns
            if width and (bits[:, -1] & ((1 << padding) - 1)).any():
                raise CheckpointError(f"mask {name!r} has bits beyond its {rows * columns} weights")
            bits.setflags(write=False)

    @classmethod
    def ones(cls, concepts: Iterable[str], shapes: Mapping[str, tuple[int, int]]) -> MaskSet:
        """All weights kept: the dense model."""
        concepts = tuple(concepts)
        full = {name: np.ones((len(concepts), *shape), dtype=bool) for name, shape in shapes.items()}
        return cls.from_bool(concepts, full)

    @classmethod
    def from_bool(cls, concepts: Iterable[str], masks: Mapping[str, np.ndarray]) -> MaskSet:
        """Pack boolean arrays (K, O, I), one per matrix."""
        shapes = {name: (int(mask.shape[1]), int(mask.shape[2])) for name, mask in masks.items()}
        return cls.from_flat(concepts, shapes, masks)

    @classmethod
    def from_flat(
        cls, concepts: Iterable[str], shapes: Mapping[str, tuple[int, int]], masks: Mapping[str, np.ndarray]
    ) -> MaskSet:
        """The same of arrays (K, O·I); ``shapes`` are those of the matrices."""
        concepts = tuple(concepts)
        packed = {
            name: np.packbits(np.ascontiguousarray(mask).reshape(len(concepts), -1), axis=1)
            for name, mask in masks.items()
        }
        return cls(concepts, {name: shapes[name] for name in masks}, packed)

    @property
    def total(self) -> int:
        """L: prunable weights per concept."""
        return sum(rows * columns for rows, columns in self.shapes.values())

    def to_bool(self, matrix: str) -> np.ndarray:
        """Unpacked bits of one matrix, (K, O, I) bool."""
        rows, columns = self._shape(matrix)
        flat = np.unpackbits(self.packed[matrix], axis=1, count=rows * columns)
        return flat.view(bool).reshape(len(self.concepts), rows, columns)

    def concept_bool(self, matrix: str, concept: str) -> np.ndarray:
        """Unpacked bits of one matrix and concept, (O, I) bool."""
        rows, columns = self._shape(matrix)
        flat = np.unpackbits(self.packed[matrix][self._concept(concept)], count=rows * columns)
        return flat.view(bool).reshape(rows, columns)

    def to_torch(self, matrix: str) -> BoolMask:
        """`to_bool` as a tensor (K, O, I) bool."""
        import torch

        return torch.from_numpy(self.to_bool(matrix).copy())

    def with_concept(self, concept: str, masks: Mapping[str, np.ndarray]) -> MaskSet:
        """A new set in which ``concept`` has the given (O, I) masks; all else is shared."""
        index, packed = self._concept(concept), dict(self.packed)
        for name, mask in masks.items():
            if mask.shape != self._shape(name):
                raise InputError(f"mask {name!r} has shape {mask.shape}; expected {self.shapes[name]}")
            bits = self.packed[name].copy()
            bits[index] = np.packbits(np.ascontiguousarray(mask, dtype=bool).reshape(-1))
            packed[name] = bits
        return MaskSet(self.concepts, self.shapes, packed)

    def kept(self) -> dict[str, dict[str, int]]:
        """Kept weights: concept → matrix → count."""
        counts = {
            name: np.bitwise_count(bits).sum(axis=1, dtype=np.int64) for name, bits in self.packed.items()
        }
        return {
            concept: {name: int(count[k]) for name, count in counts.items()}
            for k, concept in enumerate(self.concepts)
        }

    def sparsity(self) -> dict[str, float]:
        """Fraction of the prunable weights removed, per concept."""
        return {name: 1.0 - sum(kept.values()) / self.total for name, kept in self.kept().items()}

    def overlap(self, first: str, second: str) -> tuple[int, int]:
        """Weights that both concepts keep, and that at least one keeps (|∩|, |∪|)."""
        a, b = self._concept(first), self._concept(second)
        both = sum(
            int(np.bitwise_count(bits[a] & bits[b]).sum(dtype=np.int64)) for bits in self.packed.values()
        )
        either = sum(
            int(np.bitwise_count(bits[a] | bits[b]).sum(dtype=np.int64)) for bits in self.packed.values()
        )
        return both, either

    def jaccard(self) -> dict[tuple[str, str], float]:
        """|∩| / |∪| of every pair of concepts, in concept order; 1.0 for two empty masks."""
        pairs = {}
        for first, second in combinations(self.concepts, 2):
            both, either = self.overlap(first, second)
            pairs[first, second] = both / either if either else 1.0
        return pairs

    def fingerprint(self) -> str:
        """Hash of names, shapes and bits (16 hex digits)."""
        digest = hashlib.sha256(repr(self.concepts).encode())
        for name in sorted(self.packed):
            digest.update(f"{name}{self.shapes[name]}".encode())
            digest.update(self.packed[name].tobytes())
        return digest.hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MaskSet):
            return NotImplemented
        return (
            self.concepts == other.concepts
            and dict(self.shapes) == dict(other.shapes)
            and all(np.array_equal(bits, other.packed[name]) for name, bits in self.packed.items())
        )

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def _concept(self, name: str) -> int:
        if name not in self.concepts:
            raise InputError(one_of(name, self.concepts, "concept"))
        return self.concepts.index(name)

    def _shape(self, matrix: str) -> tuple[int, int]:
        if matrix not in self.shapes:
            raise InputError(one_of(matrix, self.shapes, "matrix"))
        return self.shapes[matrix]


def chance_jaccard(first_density: float, second_density: float) -> float:
    """Expected Jaccard of two random masks of these densities: pq / (p + q − pq).

    >>> round(chance_jaccard(0.25, 0.25), 3)
    0.143
    """
    both = first_density * second_density
    either = first_density + second_density - both
    return both / either if either else 1.0

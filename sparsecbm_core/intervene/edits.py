"""Mask edits as values: which bits are flipped. XOR on packed bits, so edits commute and undo themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.models.masks import MaskSet

Flips = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class FlipCount:
    """What an edit does to one matrix of one concept."""

    concept: str
    matrix: str
    dropped: int
    grown: int


@dataclass(frozen=True, eq=False)
class MaskEdit:
    """Mask bits to flip: concept → matrix → sorted indices (n,) int64 into the matrix's O·I weights.

    An edit says nothing of what the bits were: applied to a mask set it flips them, applied again it
    restores them bit for bit. ``a ^ b`` is the net effect of both, in any order.

    >>> edit = MaskEdit({"food": {"layer.0": np.array([1, 5])}})
    >>> (edit ^ edit).size
    0
    """

    flips: Flips

    def __post_init__(self) -> None:
        clean: dict[str, dict[str, np.ndarray]] = {}
        for concept, matrices in self.flips.items():
            for matrix, indices in matrices.items():
                array = np.asarray(indices)
                if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
                    raise InputError(
                        f"flips of {concept}, {matrix} must be a list of whole numbers, "
                        f"got {array.dtype} of shape {array.shape}"
                    )
                values = np.unique(array.astype(np.int64))
                if values.size != array.size:
                    raise InputError(f"flips of {concept}, {matrix} name a weight twice")
                if values.size and values[0] < 0:
                    raise InputError(f"flips of {concept}, {matrix} hold the negative index {values[0]}")
                if values.size:
                    values.setflags(write=False)
                    clean.setdefault(concept, {})[matrix] = values
        object.__setattr__(self, "flips", clean)

    @classmethod
    def between(cls, before: MaskSet, after: MaskSet) -> MaskEdit:
        """The edit that turns one mask set into another of the same model.

        >>> MaskEdit.between(model.masks, done.corrected.masks) == done.edit
        True
        """
        if before.concepts != after.concepts or dict(before.shapes) != dict(after.shapes):
            raise InputError("two mask sets of different models have no difference")
        flips: dict[str, dict[str, np.ndarray]] = {}
        for matrix, bits in before.packed.items():
            changed = bits ^ after.packed[matrix]  # (K, ⌈O·I/8⌉)
            for k in np.flatnonzero(changed.any(axis=1)):
                flips.setdefault(before.concepts[k], {})[matrix] = np.flatnonzero(np.unpackbits(changed[k]))
        return cls(flips)

    @property
    def size(self) -> int:
        """Flipped bits, all concepts together."""
        return sum(indices.size for _, _, indices in self)

    @property
    def concepts(self) -> tuple[str, ...]:
        """The concepts whose subnetworks change."""
        return tuple(self.flips)

    def __iter__(self) -> Iterator[tuple[str, str, np.ndarray]]:
        for concept, matrices in self.flips.items():
            for matrix, indices in matrices.items():
                yield concept, matrix, indices

    def __xor__(self, other: MaskEdit) -> MaskEdit:
        flips = {concept: dict(matrices) for concept, matrices in self.flips.items()}
        for concept, matrix, indices in other:
            own = flips.setdefault(concept, {})
            own[matrix] = np.setxor1d(own.get(matrix, np.empty(0, dtype=np.int64)), indices, True)
        return MaskEdit(flips)

    def shared(self, other: MaskEdit) -> int:
        """Bits that both edits flip. Undoing the earlier one flips these against its purpose, so it moves
        the number of kept weights by at most twice as many.

        >>> done.edit.shared(done.edit) == done.edit.size
        True
        """
        return sum(
            np.intersect1d(indices, other.flips[concept][matrix], True).size
            for concept, matrix, indices in self
            if matrix in other.flips.get(concept, {})
        )

    def apply(self, masks: MaskSet) -> MaskSet:
        """``masks`` with the bits flipped; a matrix that no flip touches is shared with the old set.

        Raises `InputError` for a concept, matrix or index that the mask set does not have.

        >>> done.edit.apply(done.corrected.masks) == model.masks
        True
        """
        packed = dict(masks.packed)
        for concept, matrix, indices in self:
            row = _row(masks, concept, matrix, indices)
            if packed[matrix] is masks.packed[matrix]:
                packed[matrix] = masks.packed[matrix].copy()
            bits = np.left_shift(1, 7 - (indices & 7)).astype(np.uint8)
            np.bitwise_xor.at(packed[matrix][row], indices >> 3, bits)
        return MaskSet(masks.concepts, masks.shapes, packed)

    def counts(self, masks: MaskSet) -> list[FlipCount]:
        """Weights dropped and grown when ``masks`` are what the edit is applied to.

        >>> sum(count.grown - count.dropped for count in done.edit.counts(model.masks))
        0
        """
        counts = []
        for concept, matrix, indices in self:
            row = _row(masks, concept, matrix, indices)
            kept = (masks.packed[matrix][row][indices >> 3] >> (7 - (indices & 7))) & 1
            dropped = int(kept.sum(dtype=np.int64))
            counts.append(FlipCount(concept, matrix, dropped, indices.size - dropped))
        return counts

    def fingerprint(self) -> str:
        """Hash of all flips (16 hex digits).

        >>> len(done.edit.fingerprint())
        16
        """
        digest = hashlib.sha256()
        for concept, matrix, indices in sorted(self, key=lambda item: item[:2]):
            digest.update(f"{concept}\0{matrix}\0{indices.size}\0".encode())
            digest.update(indices.astype("<i8").tobytes())
        return digest.hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MaskEdit):
            return NotImplemented
        return self.fingerprint() == other.fingerprint()

    def __hash__(self) -> int:
        return hash(self.fingerprint())


def net_edit(edits: Iterable[MaskEdit]) -> MaskEdit:
    """The net effect of a chain of edits; bits flipped an even number of times are as they were.

    >>> net_edit([done.edit, done.edit]).size
    0
    """
    parts: dict[tuple[str, str], list[np.ndarray]] = {}
    for edit in edits:
        for concept, matrix, indices in edit:
            parts.setdefault((concept, matrix), []).append(indices)
    flips: dict[str, dict[str, np.ndarray]] = {}
    for (concept, matrix), arrays in parts.items():
        values, times = np.unique(np.concatenate(arrays), return_counts=True)
        flips.setdefault(concept, {})[matrix] = values[times % 2 == 1]
    return MaskEdit(flips)


def _row(masks: MaskSet, concept: str, matrix: str, indices: np.ndarray) -> int:
    """The concept's row in the packed bits, after checking that the model has all of these weights."""
    if concept not in masks.concepts:
        raise InputError(one_of(concept, masks.concepts, "concept"))
    if matrix not in masks.shapes:
        raise InputError(one_of(matrix, masks.shapes, "matrix"))
    rows, columns = masks.shapes[matrix]
    if indices[-1] >= rows * columns:
        raise InputError(f"{matrix} has {rows * columns} weights; the edit names weight {indices[-1]}")
    return masks.concepts.index(concept)

"""All K subnetworks in one pass: effective weights M_k ⊙ θ, and linear layers that use them.

The masks of a call travel in a context variable, so a loaded model is never changed by a forward
pass and any number of threads can explain different mask sets with it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import nn

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.models.lines import LineWeights
from sparsecbm_core.models.masks import MaskSet


@dataclass(frozen=True)
class ConceptWeights:
    """One matrix as the K subnetworks see it: ``stacked`` (K, O, I).

    ``replaced`` overrides single concepts with an (O, I) tensor, so that a corrected concept
    costs one matrix and not K.
    """

    stacked: torch.Tensor
    replaced: Mapping[int, torch.Tensor] = field(default_factory=dict)

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """y = x (M_k ⊙ W)ᵀ + b for rows ordered concept by concept: (K·N, …, I) → (K·N, …, O)."""
        concepts, out_features, in_features = self.stacked.shape
        rows = x.reshape(concepts, -1, in_features)  # (K, N·T, I)
        if self.replaced:
            y = torch.stack([F.linear(rows[k], self.of(k), bias) for k in range(concepts)])
        else:
            matrices = self.stacked.transpose(1, 2)  # (K, I, O)
            y = torch.bmm(rows, matrices) if bias is None else torch.baddbmm(bias, rows, matrices)
        return y.reshape(*x.shape[:-1], out_features)

    def of(self, k: int) -> torch.Tensor:
        """The matrix (O, I) of concept k."""
        return self.replaced[k] if k in self.replaced else self.stacked[k]

    def only(self, k: int) -> ConceptWeights:
        """Concept k alone, sharing memory with this."""
        return ConceptWeights(self.of(k)[None])

    def with_replaced(self, k: int, weight: torch.Tensor) -> ConceptWeights:
        return replace(self, replaced={**self.replaced, k: weight})

    def first(self, count: int) -> ConceptWeights:
        """The first concepts alone, sharing memory with this."""
        return ConceptWeights(self.stacked[:count], {k: own for k, own in self.replaced.items() if k < count})

    def reordered(self, order: Sequence[int]) -> ConceptWeights:
        """Concept k with the matrix of concept order[k], sharing memory with this."""
        return replace(self, replaced={k: self.of(other) for k, other in enumerate(order)})

    def to(self, dtype: torch.dtype) -> ConceptWeights:
        return ConceptWeights(self.stacked.to(dtype), {k: own.to(dtype) for k, own in self.replaced.items()})


class RowWeights(Protocol):
    """What a masked layer multiplies its rows with."""

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor: ...

    def with_replaced(self, k: int, weight: torch.Tensor) -> RowWeights: ...

    def only(self, k: int) -> RowWeights: ...


@runtime_checkable
class ReadsByRows(Protocol):
    """Row weights that may know of whole rows that are zero."""

    def rows_in_use(self) -> Sequence[torch.Tensor] | None:
        """For each concept the rows (n,) that are not all zero; None where this is not known."""
        ...


@dataclass(frozen=True)
class EffectiveWeights:
    """M_k ⊙ θ for every masked matrix and all concepts, made once per mask set and shared."""

    concepts: tuple[str, ...]
    matrices: Mapping[str, RowWeights]

    def only(self, concept: str) -> EffectiveWeights:
        """One concept's matrices, sharing memory: rows then all belong to it."""
        if concept not in self.concepts:
            raise InputError(one_of(concept, self.concepts, "concept"))
        k = self.concepts.index(concept)
        return EffectiveWeights((concept,), {name: matrix.only(k) for name, matrix in self.matrices.items()})

    def with_concept(self, concept: str, weights: Mapping[str, torch.Tensor]) -> EffectiveWeights:
        """The same weights but for ``concept``, whose (O, I) matrices are given."""
        if concept not in self.concepts:
            raise InputError(one_of(concept, self.concepts, "concept"))
        k, matrices = self.concepts.index(concept), dict(self.matrices)
        for name, weight in weights.items():
            matrices[name] = matrices[name].with_replaced(k, weight)
        return EffectiveWeights(self.concepts, matrices)

    def first(self, count: int) -> EffectiveWeights:
        """The first concepts alone, sharing memory with these; for inference weights, as are the next two."""
        some = self._each(lambda matrix: matrix.first(count))
        return replace(some, concepts=self.concepts[:count])

    def reordered(self, order: Sequence[int]) -> EffectiveWeights:
        """Concept k read by the subnetwork of concept order[k], sharing memory with these.

        For inference weights (`effective_weights`), as is `to`; others stay what they are.
        """
        return self._each(lambda matrix: matrix.reordered(order))

    def to(self, dtype: torch.dtype) -> EffectiveWeights:
        """The same in another precision."""
        return self._each(lambda matrix: matrix.to(dtype))

    def _each(self, change: Callable[[ConceptWeights | LineWeights], RowWeights]) -> EffectiveWeights:
        matrices = {
            name: change(matrix) if isinstance(matrix, ConceptWeights | LineWeights) else matrix
            for name, matrix in self.matrices.items()
        }
        return EffectiveWeights(self.concepts, matrices)


_ACTIVE: ContextVar[EffectiveWeights | None] = ContextVar("active_subnetworks", default=None)


@contextmanager
def active(weights: EffectiveWeights | None) -> Iterator[None]:
    """Masked linear layers called inside use these weights; outside, or with None, the dense ones."""
    token = _ACTIVE.set(weights)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def active_weights() -> EffectiveWeights | None:
    """The weights that masked layers use where this is called; None for the dense ones."""
    return _ACTIVE.get()


class MaskedLinear(nn.Linear):
    """A linear layer that multiplies with the effective weight of each row's concept.

    Shares its parameters with the layer it is made from, so checkpoints keep their names.
    """

    def __init__(self, name: str, linear: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.name = name
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        weights = _ACTIVE.get()
        if weights is None:
            return F.linear(input, self.weight, self.bias)
        return weights.matrices[self.name].linear(input, self.bias)


def effective_weights(layers: Mapping[str, MaskedLinear], masks: MaskSet) -> EffectiveWeights:
    """M_k ⊙ θ as tensors on the weights' device, for inference: no graph to θ is kept.

    Subnetworks of whole rows or columns keep only these.
    """
    matrices: dict[str, RowWeights] = {}
    for name, layer in layers.items():
        weight = layer.weight.detach()
        stacked = masks.to_torch(name).to(weight.device) * weight
        matrices[name] = LineWeights.cut(stacked.unbind()) or ConceptWeights(stacked)
    return EffectiveWeights(masks.concepts, matrices)

"""Subnetworks of whole rows or columns: what is zero is neither kept in memory nor multiplied with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

WORTH = 0.6  # more than this share of a matrix's lines, and the whole matrix is as quick


@dataclass(frozen=True)
class Lines:
    """One matrix (O, I) by its ``index`` (n,) rows, or columns, that are not all zero.

    ``values`` is (n, I), or (O, n) where not ``by_rows``; ``shape`` is (O, I).
    """

    values: torch.Tensor
    index: torch.Tensor
    by_rows: bool
    shape: tuple[int, int]

    @classmethod
    def of(cls, matrix: torch.Tensor) -> Lines:
        """By rows or by columns, whichever leaves less; exact whatever the matrix (O, I) is."""
        used = matrix != 0
        rows, columns = used.any(1).nonzero().flatten(), used.any(0).nonzero().flatten()
        out_features, in_features = matrix.shape
        by_rows = len(rows) * in_features <= len(columns) * out_features
        index = rows if by_rows else columns
        values = matrix.index_select(0 if by_rows else 1, index)
        return cls(values, index, by_rows, (out_features, in_features))

    @property
    def share(self) -> float:
        """Of the matrix, how much is here."""
        return self.values.numel() / max(1, self.shape[0] * self.shape[1])

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """y = x Wᵀ + b: (N, I) → (N, O)."""
        if not self.by_rows:
            return F.linear(x.index_select(1, self.index), self.values, bias)
        own = F.linear(x, self.values, None if bias is None else bias[self.index])  # (N, n)
        if bias is None:
            y = own.new_zeros(len(x), self.shape[0])
        else:
            y = bias.to(own.dtype).expand(len(x), -1).clone()
        return y.index_copy_(1, self.index, own)

    def dense(self) -> torch.Tensor:
        """The matrix (O, I)."""
        return self.values.new_zeros(self.shape).index_copy_(int(not self.by_rows), self.index, self.values)

    def to(self, dtype: torch.dtype) -> Lines:
        return replace(self, values=self.values.to(dtype))


@dataclass(frozen=True)
class LineWeights:
    """One matrix as the K subnetworks see it, each by its own `Lines`."""

    lines: tuple[Lines, ...]

    @classmethod
    def cut(cls, matrices: Sequence[torch.Tensor]) -> LineWeights | None:
        """Of K matrices (O, I); None where that would be no quicker for one of them than the whole."""
        lines = []
        for matrix in matrices:
            lines.append(Lines.of(matrix))
            if lines[-1].share > WORTH:
                return None
        return cls(tuple(lines))

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """As `ConceptWeights.linear`: (K·N, …, I) → (K·N, …, O), rows ordered concept by concept."""
        out_features, in_features = self.lines[0].shape
        rows = x.reshape(len(self.lines), -1, in_features)  # (K, N·T, I)
        parts = [own.linear(row, bias) for own, row in zip(self.lines, rows.unbind(), strict=True)]
        y = parts[0] if len(parts) == 1 else torch.cat(parts)
        return y.reshape(*x.shape[:-1], out_features)

    def rows_in_use(self) -> list[torch.Tensor] | None:
        """For each concept the rows (n,) that are not all zero; None where one goes by columns."""
        return [own.index for own in self.lines] if all(own.by_rows for own in self.lines) else None

    def of(self, k: int) -> torch.Tensor:
        """The matrix (O, I) of concept k."""
        return self.lines[k].dense()

    def only(self, k: int) -> LineWeights:
        """Concept k alone, sharing memory with this."""
        return LineWeights((self.lines[k],))

    def with_replaced(self, k: int, weight: torch.Tensor) -> LineWeights:
        """With another matrix (O, I) for concept k, of which a copy is kept."""
        return LineWeights((*self.lines[:k], Lines.of(weight), *self.lines[k + 1 :]))

    def first(self, count: int) -> LineWeights:
        """The first concepts alone, sharing memory with this."""
        return LineWeights(self.lines[:count])

    def reordered(self, order: Sequence[int]) -> LineWeights:
        """Concept k with the matrix of concept order[k], sharing memory with this."""
        return LineWeights(tuple(self.lines[other] for other in order))

    def to(self, dtype: torch.dtype) -> LineWeights:
        return LineWeights(tuple(own.to(dtype) for own in self.lines))

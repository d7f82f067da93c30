"""Training under masks of whole rows or columns: each subnetwork multiplies with its own part alone.

The K products of an epoch then cost together what the dense model's one does, where masks of scattered
weights cost K of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.roles import FEED_FORWARD, role_of


@dataclass(frozen=True)
class Units:
    """``index`` (K, n): the rows (``by_rows``) or columns that each concept keeps, whole."""

    index: torch.Tensor
    by_rows: bool


def whole_units(masks: MaskSet) -> dict[str, Units] | None:
    """The units of every matrix; None unless all concepts keep equally many whole rows, or columns."""
    found = {}
    for name in masks.shapes:
        bits = masks.to_torch(name)  # (K, O, I)
        for by_rows in (True, False):
            lines = bits.any(2 if by_rows else 1)  # (K, O) or (K, I)
            whole = lines[:, :, None] if by_rows else lines[:, None, :]
            counts = lines.sum(1)
            if bool((bits == whole).all()) and bool((counts == counts[0]).all()) and int(counts[0]):
                found[name] = Units(lines.nonzero()[:, 1].view(len(lines), -1), by_rows)
                break
        else:
            return None
    return found


class _UnitMatmul(torch.autograd.Function):
    """y_k = x_k (M_k ⊙ W)ᵀ by the rows, or columns, that M_k keeps; dL/dW likewise."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, index: torch.Tensor, by_rows: bool
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight, index)
        ctx.by_rows = by_rows
        y = x.new_zeros(*x.shape[:2], weight.shape[0])  # (K, N, O)
        for k, own in enumerate(index):
            if by_rows:
                y[k].index_copy_(1, own, x[k] @ weight[own].T)
            else:
                torch.mm(x[k].index_select(1, own), weight.index_select(1, own).T, out=y[k])
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        x, weight, index = ctx.saved_tensors
        grad_x = torch.zeros_like(x)
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        for k, own in enumerate(index):
            if ctx.by_rows:
                part = grad[k].index_select(1, own)  # (N, n)
                torch.mm(part, weight[own], out=grad_x[k])
                grad_weight.index_add_(0, own, (part.T @ x[k]).float())
            else:
                read = x[k].index_select(1, own)
                grad_x[k].index_copy_(1, own, grad[k] @ weight.index_select(1, own))
                grad_weight.index_add_(1, own, (grad[k].T @ read).float())
        return grad_x, grad_weight.to(weight.dtype), None, None


@dataclass(frozen=True)
class UnitWeights:
    """One matrix under training: θ as (O, I) with its graph, and the units of each concept."""

    weight: torch.Tensor
    units: Units

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """As `ConceptWeights.linear`, with gradients to θ."""
        rows = x.reshape(len(self.units.index), -1, self.weight.shape[1]).to(self.weight.dtype)  # (K, N·T, I)
        y = _UnitMatmul.apply(rows, self.weight, self.units.index, self.units.by_rows)
        if bias is not None:
            y = y + bias.to(y.dtype)
        return y.reshape(*x.shape[:-1], self.weight.shape[0])

    def rows_in_use(self) -> Sequence[torch.Tensor] | None:
        """For each concept the rows (n,) that are not all zero; None where it keeps columns."""
        return self.units.index.unbind() if self.units.by_rows else None

    def with_replaced(self, k: int, weight: torch.Tensor) -> UnitWeights:
        raise SettingsError("weights under training cannot be replaced one concept at a time")

    def only(self, k: int) -> UnitWeights:
        return replace(self, units=Units(self.units.index[k : k + 1], self.units.by_rows))


@dataclass(frozen=True)
class NarrowWeights(UnitWeights):
    """One of two matrices with the same units between them (see `narrow_names`): it gives, by rows, or takes,
    by columns, the features of each concept's own units alone."""

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """(K·N, …, I) → (K·N, …, n) by rows, (K·N, …, n) → (K·N, …, O) by columns."""
        index, by_rows = self.units.index, self.units.by_rows  # (K, n)
        own = self.weight.index_select(int(not by_rows), index.flatten())
        # (K·n, I) → (K, I, n), (O, K·n) → (K, n, O)
        matrices = own.unflatten(0, index.shape).mT if by_rows else own.T.unflatten(0, index.shape)
        y = torch.bmm(x.reshape(len(index), -1, x.shape[-1]).to(own.dtype), matrices)
        if bias is not None:
            y = y + (bias[index][:, None] if by_rows else bias).to(y.dtype)
        return y.reshape(*x.shape[:-1], y.shape[-1])


def narrow_names(units: Mapping[str, Units]) -> set[str]:
    """Feed-forward matrices between which every concept has the same neurons: rows of the first, columns of
    the second. Only the activation function stands between them, so that the other neurons, which the second
    matrix multiplies with zero, need not be there.

    ``units`` by the matrices' names, in the order in which a text passes them.
    """
    found: set[str] = set()
    before: tuple[str, Units] | None = None
    for name, own in units.items():
        role = role_of(name)
        if role == FEED_FORWARD[0]:
            before = name, own
        elif role == FEED_FORWARD[1] and before is not None:
            first, rows = before
            if rows.by_rows and not own.by_rows and torch.equal(rows.index, own.index):
                found |= {first, name}
            before = None
    return found


def on_device(units: Mapping[str, Units], device: torch.device) -> dict[str, Units]:
    """The same units with their indices where the weights are."""
    return {name: Units(item.index.to(device), item.by_rows) for name, item in units.items()}

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
from sparsecbm_core.models.backbone import FEED_FORWARD, role_of
from sparsecbm_core.models.masks import MaskSet


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
    """y_k = x_k (M_k ⊙ W)ᵀ by the rows, or columns, that M_k keeps; dL/dW likewise.

    ``narrow``: y has the features of these rows alone, or x those of these columns.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, index: torch.Tensor, by_rows: bool, narrow: bool
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight, index)
        ctx.by_rows, ctx.narrow = by_rows, narrow
        if by_rows and narrow:
            y = x.new_empty(*x.shape[:2], index.shape[1])  # (K, N, n)
        else:
            y = x.new_zeros(*x.shape[:2], weight.shape[0])  # (K, N, O)
        for k, own in enumerate(index):
            if not by_rows:
                read = x[k] if narrow else x[k].index_select(1, own)
                torch.mm(read, weight.index_select(1, own).T, out=y[k])
            elif narrow:
                torch.mm(x[k], weight[own].T, out=y[k])
            else:
                y[k].index_copy_(1, own, x[k] @ weight[own].T)
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None, None]:
        x, weight, index = ctx.saved_tensors
        whole = ctx.by_rows or ctx.narrow  # every feature of x has a gradient
        grad_x = torch.empty_like(x) if whole else torch.zeros_like(x)
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        for k, own in enumerate(index):
            if ctx.by_rows:
                part = grad[k] if ctx.narrow else grad[k].index_select(1, own)  # (N, n)
                torch.mm(part, weight[own], out=grad_x[k])
                grad_weight.index_add_(0, own, (part.T @ x[k]).float())
                continue
            read = x[k] if ctx.narrow else x[k].index_select(1, own)
            to_read = grad[k] @ weight.index_select(1, own)
            if ctx.narrow:
                grad_x[k] = to_read
            else:
                grad_x[k].index_copy_(1, own, to_read)
            grad_weight.index_add_(1, own, (grad[k].T @ read).float())
        return grad_x, grad_weight.to(weight.dtype), None, None, None


@dataclass(frozen=True)
class UnitWeights:
    """One matrix under training: θ as (O, I) with its graph, and the units of each concept.

    A ``narrow`` matrix gives, or takes, the features of each concept's own units alone (see `narrow_names`).
    """

    weight: torch.Tensor
    units: Units
    narrow: bool = False

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """As `ConceptWeights.linear`, with gradients to θ; a narrow one (K·N, …, I) → (K·N, …, n), or
        (K·N, …, n) → (K·N, …, O)."""
        index, by_rows = self.units.index, self.units.by_rows
        rows = x.reshape(len(index), -1, x.shape[-1]).to(self.weight.dtype)  # (K, N·T, I)
        y = _UnitMatmul.apply(rows, self.weight, index, by_rows, self.narrow)
        if bias is not None:
            y = y + (bias[index][:, None] if by_rows and self.narrow else bias).to(y.dtype)
        return y.reshape(*x.shape[:-1], y.shape[-1])

    def rows_in_use(self) -> Sequence[torch.Tensor] | None:
        """For each concept the rows (n,) that are not all zero; None where it keeps columns."""
        return self.units.index.unbind() if self.units.by_rows else None

    def with_replaced(self, k: int, weight: torch.Tensor) -> UnitWeights:
        raise SettingsError("weights under training cannot be replaced one concept at a time")

    def only(self, k: int) -> UnitWeights:
        return replace(self, units=Units(self.units.index[k : k + 1], self.units.by_rows))


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

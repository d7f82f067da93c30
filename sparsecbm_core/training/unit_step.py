"""Training under masks of whole rows or columns: each subnetwork multiplies with its own part alone.

The K products of an epoch then cost together what the dense model's one does, where masks of scattered
weights cost K of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from sparsecbm_core.errors import SettingsError
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
        grad_x, grad_weight = torch.zeros_like(x), torch.zeros(weight.shape, dtype=torch.float32)
        grad_weight = grad_weight.to(weight.device)
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

    def with_replaced(self, k: int, weight: torch.Tensor) -> UnitWeights:
        raise SettingsError("weights under training cannot be replaced one concept at a time")

    def only(self, k: int) -> UnitWeights:
        return UnitWeights(self.weight, Units(self.units.index[k : k + 1], self.units.by_rows))


def on_device(units: Mapping[str, Units], device: torch.device) -> dict[str, Units]:
    """The same units with their indices where the weights are."""
    return {name: Units(item.index.to(device), item.by_rows) for name, item in units.items()}

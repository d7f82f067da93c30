"""Masked linear layers for training: gradients reach θ, and memory traffic stays small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.subnetworks import EffectiveWeights, MaskedLinear, RowWeights
from sparsecbm_core.training.unit_step import (
    NarrowWeights,
    Units,
    UnitWeights,
    narrow_names,
    on_device,
    whole_units,
)


def at_once(device: torch.device) -> bool:
    """Whether the products of all concepts are made in one."""
    return device.type != "cpu"


class _MaskedMatmul(torch.autograd.Function):
    """y_k = x_k (M_k ⊙ W)ᵀ for k = 1 … K; dL/dW = Σ_k M_k ⊙ (dL/dy_kᵀ x_k).

    The product M_k ⊙ W is formed anew in the backward pass. On the CPU it is formed one concept at a time: it
    stays in the processor's cache, where all K of them would stream the encoder K times through memory. An
    accelerator, whose time goes into starting many small products, forms all K and multiplies them in one.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight, masks)
        if at_once(weight.device):
            return torch.bmm(x, (weight * masks).mT)
        y = x.new_empty(*x.shape[:2], weight.shape[0])  # (K, N, O)
        for k in range(masks.shape[0]):
            torch.mm(x[k], (weight * masks[k]).T, out=y[k])
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        x, weight, masks = ctx.saved_tensors
        grad = grad.contiguous()
        if at_once(weight.device):
            grad_x = torch.bmm(grad, weight * masks)
            apart = torch.bmm(grad.mT, x).mul_(masks)  # (K, O, I)
            return grad_x, apart.sum(0, dtype=torch.float32).to(weight.dtype), None
        grad_x = torch.empty_like(x)
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        for k in range(masks.shape[0]):
            torch.mm(grad[k], weight * masks[k], out=grad_x[k])
            grad_weight += torch.mm(grad[k].T, x[k]).mul_(masks[k])
        return grad_x, grad_weight.to(weight.dtype), None


@dataclass(frozen=True)
class TrainableWeights:
    """One matrix under training: θ as (O, I) with its graph, masks (K, O, I) of the same dtype."""

    weight: torch.Tensor
    masks: torch.Tensor

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """As `ConceptWeights.linear`, with gradients to θ."""
        rows = x.reshape(self.masks.shape[0], -1, self.weight.shape[1]).to(self.weight.dtype)  # (K, N·T, I)
        y = _MaskedMatmul.apply(rows, self.weight, self.masks)
        if bias is not None:
            y = y + bias.to(y.dtype)
        return y.reshape(*x.shape[:-1], self.weight.shape[0])

    def with_replaced(self, k: int, weight: torch.Tensor) -> TrainableWeights:
        raise SettingsError("weights under training cannot be replaced one concept at a time")

    def only(self, k: int) -> TrainableWeights:
        return TrainableWeights(self.weight, self.masks[k : k + 1])


@dataclass(frozen=True)
class WeightsUnderMasks:
    """The layers of a network under training and their masks; unpacked once per mask update.

    Whole rows or columns are multiplied alone (`unit_step`), and between ``narrow`` feed-forward matrices no
    neurons of other concepts are kept; other masks, ``tensors`` (K, O, I) of 0 and 1, are multiplied into the
    weights where these are used.
    """

    concepts: tuple[str, ...]
    layers: Mapping[str, MaskedLinear]
    dtype: torch.dtype
    units: Mapping[str, Units] | None
    tensors: Mapping[str, torch.Tensor]
    narrow: frozenset[str] = frozenset()

    @classmethod
    def of(cls, masks: MaskSet, layers: Mapping[str, MaskedLinear], dtype: torch.dtype) -> WeightsUnderMasks:
        """On the weights' device, multiplied in ``dtype``."""
        device = next(iter(layers.values())).weight.device
        units = whole_units(masks)
        if units is None:
            tensors = {name: masks.to_torch(name).to(device=device, dtype=dtype) for name in layers}
            return cls(masks.concepts, layers, dtype, None, tensors)
        return cls(
            masks.concepts, layers, dtype, on_device(units, device), {}, frozenset(narrow_names(units))
        )

    def now(self) -> EffectiveWeights:
        """What one training step passes to the network: M_k ⊙ θ as θ is now, with gradients to it."""
        matrices: dict[str, RowWeights] = {}
        for name, layer in self.layers.items():
            weight = layer.weight.to(self.dtype)
            if self.units is not None:
                kind = NarrowWeights if name in self.narrow else UnitWeights
                matrices[name] = kind(weight, self.units[name])
            else:
                matrices[name] = TrainableWeights(weight, self.tensors[name])
        return EffectiveWeights(self.concepts, matrices)

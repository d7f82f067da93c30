"""Whole rows and columns multiplied alone: the same product and gradient as under 0/1 masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.training.masked_step import TrainableWeights
from sparsecbm_core.training.unit_step import Units, UnitWeights, whole_units

K, OUT, IN = 3, 6, 9


def line_masks(by_rows: bool) -> np.ndarray:
    masks = np.zeros((K, OUT, IN), dtype=bool)
    for k in range(K):
        if by_rows:
            masks[k, k::K] = True
        else:
            masks[k, :, k::K] = True
    return masks


@pytest.mark.parametrize("by_rows", [True, False])
@pytest.mark.parametrize("with_bias", [True, False])
def test_values_and_gradients_are_those_under_masks(by_rows, with_bias):
    generator = torch.Generator().manual_seed(0)
    bits = torch.from_numpy(line_masks(by_rows))
    x = torch.randn(K * 2, 4, IN, generator=generator, requires_grad=True)
    weight = torch.randn(OUT, IN, generator=generator, requires_grad=True)
    bias = torch.randn(OUT, generator=generator, requires_grad=True) if with_bias else None
    index = torch.stack([b.any(1 if by_rows else 0).nonzero().flatten() for b in bits])
    fast = UnitWeights(weight, Units(index, by_rows)).linear(x, bias)
    plain = TrainableWeights(weight, bits.float()).linear(x, bias)
    torch.testing.assert_close(fast, plain)
    upstream = torch.randn(fast.shape, generator=generator)
    inputs = [x, weight, *([bias] if bias is not None else [])]
    for actual, expected in zip(
        torch.autograd.grad(fast, inputs, upstream), torch.autograd.grad(plain, inputs, upstream), strict=True
    ):
        torch.testing.assert_close(actual, expected)


def test_units_are_found_where_there_are_any():
    masks = MaskSet.from_bool(("a", "b", "c"), {"rows": line_masks(True), "columns": line_masks(False)})
    units = whole_units(masks)
    assert units is not None
    assert units["rows"].by_rows
    assert not units["columns"].by_rows
    assert units["rows"].index.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert units["columns"].index.tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


def test_scattered_or_uneven_masks_have_none():
    scattered = line_masks(True)
    scattered[0, 0, 0] = False
    assert whole_units(MaskSet.from_bool(("a", "b", "c"), {"m": scattered})) is None
    uneven = line_masks(True)
    uneven[1, 4] = False
    assert whole_units(MaskSet.from_bool(("a", "b", "c"), {"m": uneven})) is None


def test_one_concept_alone_and_no_replacing():
    units = Units(torch.tensor([[0, 3], [1, 4], [2, 5]]), True)
    weight = torch.randn(OUT, IN, generator=torch.Generator().manual_seed(0))
    alone = UnitWeights(weight, units).only(1).linear(torch.ones(1, IN), None)
    expected = torch.zeros(OUT)
    expected[[1, 4]] = weight[[1, 4]].sum(1)
    torch.testing.assert_close(alone[0], expected)
    with pytest.raises(SettingsError, match="one concept at a time"):
        UnitWeights(weight, units).with_replaced(0, weight)

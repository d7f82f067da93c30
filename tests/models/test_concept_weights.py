"""All concepts in one product: the same products and gradients as one matrix after the other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sparsecbm_core.errors import InputError
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights

CONCEPTS = ("food", "service", "noise")


def matrices() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weights (K, O, I), bias (O,) and rows (K·N, T, I)."""
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(3, 4, 5, generator=generator),
        torch.randn(4, generator=generator),
        torch.randn(6, 2, 5, generator=generator),
    )


def by_hand(stacked: torch.Tensor, bias: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([F.linear(part, stacked[k], bias) for k, part in enumerate(x.chunk(len(stacked)))])


@pytest.mark.parametrize("with_bias", [True, False])
def test_products_and_gradients_are_those_of_each_matrix(with_bias):
    stacked, bias, x = matrices()
    bias = bias if with_bias else None
    weights = ConceptWeights(stacked)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    result, expected = weights.linear(ours, bias), by_hand(stacked, bias, theirs)
    torch.testing.assert_close(result, expected)
    (got,) = torch.autograd.grad(result.square().sum(), ours)
    (wanted,) = torch.autograd.grad(expected.square().sum(), theirs)
    torch.testing.assert_close(got, wanted)


def test_the_weights_can_be_differentiated_as_well():
    stacked, bias, x = matrices()
    leaf, reference = stacked.clone().requires_grad_(), stacked.clone().requires_grad_()
    (got,) = torch.autograd.grad(ConceptWeights(leaf).linear(x, bias).square().sum(), leaf)
    (wanted,) = torch.autograd.grad(by_hand(reference, bias, x).square().sum(), reference)
    torch.testing.assert_close(got, wanted)


def test_one_concept_alone():
    stacked, bias, x = matrices()
    weights = ConceptWeights(stacked)
    changed = weights.with_replaced(1, stacked[1] * 2)
    for k, part in enumerate(x.chunk(3)):
        torch.testing.assert_close(weights.only(k).linear(part, bias), F.linear(part, stacked[k], bias))
        matrix = stacked[1] * 2 if k == 1 else stacked[k]
        torch.testing.assert_close(changed.only(k).linear(part, bias), F.linear(part, matrix, bias))
    all_weights = EffectiveWeights(CONCEPTS, {"layer": weights})
    assert all_weights.only("noise").concepts == ("noise",)
    with pytest.raises(InputError, match="unknown concept 'smell'"):
        all_weights.only("smell")

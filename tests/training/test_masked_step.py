"""Masked layers under training: the same product as in inference, with the gradient of θ."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.subnetworks import ConceptWeights
from sparsecbm_core.training import masked_step
from sparsecbm_core.training.masked_step import (
    TrainableWeights,
    WeightsUnderMasks,
    _MaskedMatmul,
)
from tests.tiny import SPACE, make_tiny
from tests.toy import toy_reviews

K, N, OUT, IN = 3, 4, 5, 6


def parts(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(K, N, IN, generator=generator, dtype=dtype, requires_grad=True)
    weight = torch.randn(OUT, IN, generator=generator, dtype=dtype, requires_grad=True)
    masks = (torch.rand(K, OUT, IN, generator=generator) < 0.4).to(dtype)
    return x, weight, masks


@pytest.fixture(params=[False, True], ids=["one by one", "all at once"])
def way(request, monkeypatch):
    """As on the CPU, and as on an accelerator."""
    monkeypatch.setattr(masked_step, "at_once", lambda device: request.param)


@pytest.mark.usefixtures("way")
def test_gradients_are_those_of_the_plain_expression():
    x, weight, masks = parts()
    upstream = torch.randn(K, N, OUT, generator=torch.Generator().manual_seed(1))
    fast = _MaskedMatmul.apply(x, weight, masks)
    plain = torch.einsum("kni,koi->kno", x, masks * weight)
    torch.testing.assert_close(fast, plain)
    for actual, expected in zip(
        torch.autograd.grad(fast, (x, weight), upstream),
        torch.autograd.grad(plain, (x, weight), upstream),
        strict=True,
    ):
        torch.testing.assert_close(actual, expected)


@pytest.mark.usefixtures("way")
def test_gradients_agree_with_finite_differences():
    x, weight, masks = parts(torch.float64)
    assert torch.autograd.gradcheck(lambda x, w: _MaskedMatmul.apply(x, w, masks), (x, weight), atol=1e-5)


@pytest.mark.usefixtures("way")
def test_gradients_that_are_not_contiguous():
    x, weight, masks = parts()
    torch.autograd.grad(_MaskedMatmul.apply(x, weight, masks).transpose(1, 2).sum(), (x, weight))


@pytest.mark.parametrize("shape", [(K * N, IN), (K * 2, 3, IN)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_forward_equals_the_effective_weights(shape, with_bias):
    _, weight, masks = parts()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    bias = torch.randn(OUT) if with_bias else None
    expected = ConceptWeights(masks * weight).linear(x, bias)
    actual = TrainableWeights(weight, masks).linear(x, bias)
    assert actual.shape == (*shape[:-1], OUT)
    torch.testing.assert_close(actual, expected)


def test_a_network_under_training_computes_what_it_will_in_use():
    model = make_tiny("bert")
    network = model.cbm.requires_grad_(True)
    ((_, ids, mask),) = model.batches(model.encode(toy_reviews(4).texts), 4)
    weights = WeightsUnderMasks.of(model.masks, network.masked_layers, torch.float32)
    assert weights.concepts == SPACE.concepts
    output = network(ids, mask, weights.now())
    expected = network(ids, mask, network.weights_for(model.masks))
    torch.testing.assert_close(output.concept_logits, expected.concept_logits)
    output.label_logits.square().sum().backward()
    for name, layer in network.masked_layers.items():
        kept_by_some = model.masks.to_torch(name).any(0)
        assert (layer.weight.grad[~kept_by_some] == 0).all()  # no subnetwork reads these
        assert (layer.weight.grad[kept_by_some] != 0).any()


def test_scattered_masks_are_zeros_and_ones_of_the_given_type(tiny_model):
    layers = tiny_model.cbm.masked_layers
    tensors = WeightsUnderMasks.of(tiny_model.masks, layers, torch.bfloat16).tensors
    assert set(tensors) == set(layers)
    for name, tensor in tensors.items():
        assert tensor.dtype == torch.bfloat16
        assert torch.equal(tensor.bool(), tiny_model.masks.to_torch(name))


def test_weights_under_training_are_not_corrected_one_by_one():
    _, weight, masks = parts()
    with pytest.raises(SettingsError, match="one concept at a time"):
        TrainableWeights(weight, masks).with_replaced(0, weight)

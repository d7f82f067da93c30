"""Wanda's input norms: what each subnetwork's layers really read, token by token and without padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparsecbm_core.config import PruneSettings
from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.subnetworks import active
from sparsecbm_core.pruning.inputs import InputSquares, ObservedWeights
from sparsecbm_core.pruning.pruner import collect_input_norms, score_weights, update_masks
from sparsecbm_core.training.losses import LabelledBatch, concept_targets, joint_loss
from tests.tiny import ARCHITECTURES, SPACE, make_tiny
from tests.toy import toy_reviews

K = SPACE.num_concepts


def labelled(model, count=4, seed=0):
    data = toy_reviews(count, seed=seed)
    ((order, ids, mask),) = model.batches(model.encode(data.texts), count)
    labels = torch.tensor([example.label for example in data])
    return LabelledBatch(ids, mask, concept_targets(data.examples, SPACE, 0.0)[order], labels[order])


def loss(network, batch, weights):
    return joint_loss(network(batch.input_ids, batch.attention_mask, weights), batch, gamma=1.0).total


def norms(model, batches, count=None):
    count = len(batches) if count is None else count
    return collect_input_norms(model.cbm, model.masks, batches, loss, count, torch.float32)


def test_norms_by_hand():
    """Two concepts, one review of two tokens and one of a token and padding."""
    squares = InputSquares(2, 2)
    squares.keep = torch.tensor([[1, 1], [1, 0]]).repeat(2, 1)
    x = torch.tensor([[[3.0, 0.0], [4.0, 1.0]], [[0.0, 1.0], [9.0, 9.0]]])  # (B, T, I)
    y = ObservedWeights(torch.ones(2, 1, 2), squares=squares).linear(torch.cat([x, 2 * x]), None)
    assert y[:, :, 0].tolist() == [[3.0, 5.0], [1.0, 18.0], [6.0, 10.0], [2.0, 36.0]]
    expected = torch.tensor([[25.0, 2.0], [100.0, 8.0]], dtype=torch.float64).sqrt()
    torch.testing.assert_close(squares.norms(), expected)
    squares.add(torch.cat([x, 2 * x]).flatten(0, 1))  # some encoders flatten their tokens
    torch.testing.assert_close(squares.norms(), expected * 2**0.5)
    with pytest.raises(SettingsError, match=r"inputs of shape \(3, 2\)"):
        squares.add(torch.ones(3, 2))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_subnetwork_is_read_with_its_own_activations(arch):
    """The same as the layers of one subnetwork after another read, one review at a time."""
    model = make_tiny(arch)
    batch = labelled(model)
    collected = norms(model, [batch])
    assert not batch.attention_mask.bool().all()  # there is padding to be left out
    for k, concept in enumerate(SPACE.concepts):
        alone = model.cbm.weights_for(model.masks).only(concept)
        seen = {name: torch.zeros(norm.shape[1], dtype=torch.float64) for name, norm in collected.items()}

        def listen(name, seen=seen):
            def hook(_, inputs):
                seen[name] += inputs[0].double().reshape(-1, inputs[0].shape[-1]).square().sum(0)

            return hook

        handles = [
            layer.register_forward_pre_hook(listen(name)) for name, layer in model.cbm.masked_layers.items()
        ]
        try:
            for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True):
                length = int(mask.sum())
                with active(alone), torch.no_grad():
                    model.cbm.pooled(model.cbm.embed(ids[None, :length]), mask[None, :length])
        finally:
            for handle in handles:
                handle.remove()
        for name, sums in seen.items():
            torch.testing.assert_close(collected[name][k], sums.sqrt(), rtol=1e-4, atol=1e-5)


def test_batches_add_up_and_no_more_are_read_than_asked_for(tiny_model):
    batches = [labelled(tiny_model, seed=seed) for seed in range(3)]
    first, second, both = (norms(tiny_model, part, 2) for part in (batches[:1], batches[1:2], batches))
    for name in both:
        torch.testing.assert_close(both[name] ** 2, first[name] ** 2 + second[name] ** 2)


def test_scores_weigh_each_weight_with_its_input(tiny_model):
    found = norms(tiny_model, [labelled(tiny_model)])
    settings = PruneSettings(criterion="wanda")
    scores = score_weights(tiny_model.cbm, None, settings, torch.Generator(), found)
    for name, layer in tiny_model.cbm.masked_layers.items():
        theta = layer.weight.abs().numpy()
        for k in range(K):
            expected = theta * found[name][k].numpy()[None, :]
            np.testing.assert_allclose(scores[name][k].reshape(theta.shape), expected, rtol=1e-5)


def test_the_model_is_left_as_it_was_and_no_gradient_is_taken(tiny_model):
    network = make_tiny("bert").cbm.train().requires_grad_(True)
    modes = {name: module.training for name, module in network.named_modules()}

    def checked(model, batch, weights):
        assert not torch.is_grad_enabled()
        assert not any(module.training for module in model.modules())
        return loss(model, batch, weights)

    collect_input_norms(network, tiny_model.masks, [labelled(tiny_model)], checked, 1, torch.float32)
    assert {name: module.training for name, module in network.named_modules()} == modes
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


def test_subnetworks_that_are_one_stay_one(tiny_model):
    """Neither weights nor inputs know of concepts, so that from the dense encoder on all masks are equal;
    exclusivity has nothing to go by. Different masks are told apart."""
    settings = PruneSettings(criterion="wanda", exclusivity=0.8, num_grads=2)
    batches = [labelled(tiny_model, seed=seed) for seed in range(2)]
    dense = MaskSet.ones(SPACE.concepts, tiny_model.cbm.mask_shapes)
    one = update_masks(tiny_model.cbm, dense, batches, loss, settings, 0.75, torch.Generator())
    assert set(one.jaccard().values()) == {1.0}
    apart = update_masks(tiny_model.cbm, tiny_model.masks, batches, loss, settings, 0.75, torch.Generator())
    assert max(apart.jaccard().values()) < 1.0

"""Gradients of every concept's own loss, and the masks made of them."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from sparsecbm_core.config import CRITERIA, PruneSettings
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights
from sparsecbm_core.pruning.pruner import collect_gradients, score_weights, update_masks
from sparsecbm_core.pruning.select import kept_total
from sparsecbm_core.training.losses import LabelledBatch, concept_targets, joint_loss
from tests.tiny import SPACE, make_tiny
from tests.toy import toy_reviews

K = SPACE.num_concepts


def labelled(model, count=4, seed=0):
    data = toy_reviews(count, seed=seed)
    ((order, ids, mask),) = model.batches(model.encode(data.texts), count)
    targets = concept_targets(data.examples, SPACE, 0.0)
    labels = torch.tensor([example.label for example in data])
    return LabelledBatch(ids, mask, targets[order], labels[order])


def loss(network, batch, weights):
    return sum(joint_loss(network(batch.input_ids, batch.attention_mask, weights), batch, gamma=2.0))


@pytest.fixture
def model():
    return make_tiny("bert")


def collect(model, batches, num_grads, **keywords):
    return collect_gradients(model.cbm, model.masks, batches, loss, num_grads, torch.float32, **keywords)


def test_one_backward_gives_the_gradients_of_all_concepts(model):
    """Each as if its subnetwork were the only one that can change."""
    batches = [labelled(model, seed=seed) for seed in range(2)]
    gradients = collect(model, batches, 2)
    for i, batch in enumerate(batches):
        for k in range(K):
            own, matrices = {}, {}
            for name, weights in model.weights.matrices.items():
                own[name] = weights.stacked[k].clone().requires_grad_()
                others = [weights.stacked[j] for j in range(K)]
                others[k] = own[name]
                matrices[name] = ConceptWeights(torch.stack(others))
            alone = loss(model.cbm, batch, EffectiveWeights(SPACE.concepts, matrices))
            for (name, _), expected in zip(
                own.items(), torch.autograd.grad(alone, list(own.values())), strict=True
            ):
                actual = gradients[name][i, k].float()
                scale = expected.abs().max().item()
                torch.testing.assert_close(actual, expected.reshape(-1), rtol=0.01, atol=1e-5 * scale + 1e-8)


def test_pruned_weights_have_gradients_too(model):
    """They may come back at the next update."""
    gradients = collect(model, [labelled(model)], 1)
    for name, gradient in gradients.items():
        pruned = ~model.masks.to_torch(name).reshape(K, -1)
        assert gradient.shape == (1, K, pruned.shape[1])
        assert (gradient[0][pruned] != 0).float().mean() > 0.5


def test_as_many_gradients_as_asked_for(model):
    steps = []
    endless = itertools.repeat(labelled(model))
    gradients = collect(model, endless, 3, on_step=lambda: steps.append(1))
    assert {gradient.shape[0] for gradient in gradients.values()} == {3}
    assert {gradient.dtype for gradient in gradients.values()} == {torch.bfloat16}
    assert len(steps) == 3
    fewer = collect(model, [labelled(model)], 3)
    assert {gradient.shape[0] for gradient in fewer.values()} == {1}


def state(network):
    return (
        {name: tensor.clone() for name, tensor in network.state_dict().items()},
        {name: module.training for name, module in network.named_modules()},
        {name: parameter.requires_grad for name, parameter in network.named_parameters()},
        {name: parameter.grad for name, parameter in network.named_parameters()},
    )


def same(first, second):
    return torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(model, fails):
    network = model.cbm
    network.train().requires_grad_(True)
    network.encoder.embeddings.eval()  # a part may be frozen
    network.projector.requires_grad_(False)
    before = state(network)

    def guarded(*arguments):
        assert not any(module.training for module in network.modules())
        if fails:
            raise ZeroDivisionError
        return loss(*arguments)

    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        collect_gradients(network, model.masks, [labelled(model)], guarded, 1, torch.float32)
    for after, expected in zip(state(network), before, strict=True):
        assert [name for name in expected if not same(after[name], expected[name])] == []


def test_scores_use_each_concepts_own_gradients(model):
    gradients = collect(model, [labelled(model, seed=seed) for seed in range(3)], 3)
    settings = PruneSettings(criterion="diagonal_fisher", damp=1e-3)
    scores = score_weights(model.cbm, gradients, settings, torch.Generator())
    for name, layer in model.cbm.masked_layers.items():
        mean = gradients[name].double().square().mean(0)  # (K, L)
        expected = 0.5 * layer.weight.double().reshape(-1) ** 2 * (1e-3 + mean)
        np.testing.assert_allclose(scores[name], expected.numpy(), rtol=1e-4)
        assert scores[name].dtype == np.float32


@pytest.mark.parametrize("scope", ["global", "matrix"])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_an_update_is_exact_whatever_the_criterion(model, criterion, scope):
    settings = PruneSettings(criterion=criterion, scope=scope, num_grads=2, block_size=8, exclusivity=0.5)
    generator = torch.Generator().manual_seed(0)
    batches = [labelled(model, seed=seed) for seed in range(2)]
    masks = update_masks(model.cbm, model.masks, batches, loss, settings, 0.6, generator)
    assert masks.shapes == model.cbm.mask_shapes
    assert masks.concepts == SPACE.concepts
    assert {sum(kept.values()) for kept in masks.kept().values()} == {kept_total(4096, 0.6)}


def test_magnitude_keeps_the_largest_weights_and_reads_no_data(model):
    settings = PruneSettings(criterion="magnitude", exclusivity=0.0)

    def never(*_):
        raise AssertionError("no gradient is needed")

    masks = update_masks(model.cbm, model.masks, [labelled(model)], never, settings, 0.75, torch.Generator())
    kept = [masks.to_torch(name) for name in masks.shapes]
    weights = [layer.weight.abs() for layer in model.cbm.masked_layers.values()]
    for k in range(K):
        smallest = min(w[m[k]].min() for w, m in zip(weights, kept, strict=True))
        largest = max(w[~m[k]].max() for w, m in zip(weights, kept, strict=True))
        assert smallest >= largest
    assert set(masks.jaccard().values()) == {1.0}


def test_exclusivity_grows_with_the_schedule(model):
    """λ·target/s: halfway to the target it is half as strong."""

    def overlap(sparsity, exclusivity, target):
        settings = PruneSettings(target, "random", exclusivity=exclusivity)
        generator = torch.Generator().manual_seed(0)
        masks = update_masks(model.cbm, model.masks, [], loss, settings, sparsity, generator)
        return masks, np.mean(list(masks.jaccard().values()))

    at_target, some = overlap(0.4, 0.4, 0.4)
    halfway, _ = overlap(0.4, 0.8, 0.8)
    assert halfway == at_target
    assert overlap(0.4, 0.8, 0.4)[1] < some < overlap(0.4, 0.0, 0.4)[1]


def test_weights_pruned_before_may_come_back(model):
    none = MaskSet.from_bool(
        SPACE.concepts, {name: np.zeros((K, *shape), bool) for name, shape in model.cbm.mask_shapes.items()}
    )
    settings = PruneSettings(criterion="magnitude", exclusivity=0.0)
    masks = update_masks(model.cbm, none, [], loss, settings, 0.5, torch.Generator())
    assert {sum(kept.values()) for kept in masks.kept().values()} == {2048}


def test_no_sparsity_keeps_everything(model):
    settings = PruneSettings(sparsity=0.0, criterion="magnitude")
    masks = update_masks(model.cbm, model.masks, [], loss, settings, 0.0, torch.Generator())
    assert masks == MaskSet.ones(SPACE.concepts, model.cbm.mask_shapes)

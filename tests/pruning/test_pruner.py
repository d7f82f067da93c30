"""Gradients of every concept's own loss, and the masks made of them."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from sparsecbm_core.config import CRITERIA, PruneSettings
from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights
from sparsecbm_core.pruning import gradients
from sparsecbm_core.pruning.gradients import (
    BUFFER,
    StoredGradients,
    SummedGradients,
    check_memory,
    make_store,
)
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
    return joint_loss(network(batch.input_ids, batch.attention_mask, weights), batch, gamma=2.0).total


@pytest.fixture
def model():
    return make_tiny("bert")


def collect(model, batches, num_grads, **keywords):
    store = room(model, num_grads)
    collect_gradients(model.cbm, model.masks, batches, loss, store, num_grads, torch.float32, **keywords)
    return store.values


def room(model, num_grads):
    return StoredGradients(sizes(model), K, num_grads)


def sizes(model):
    return {info.name: info.size for info in model.cbm.matrices}


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
        collect_gradients(network, model.masks, [labelled(model)], guarded, room(model, 1), 1, torch.float32)
    for after, expected in zip(state(network), before, strict=True):
        assert [name for name in expected if not same(after[name], expected[name])] == []


def test_scores_use_each_concepts_own_gradients(model):
    batches, store = [labelled(model, seed=seed) for seed in range(3)], room(model, 3)
    collect_gradients(model.cbm, model.masks, batches, loss, store, 3, torch.float32)
    settings = PruneSettings(criterion="diagonal_fisher", damp=1e-3)
    scores = score_weights(model.cbm, store, settings, torch.Generator())
    for name, layer in model.cbm.masked_layers.items():
        mean = store.values[name].double().square().mean(0)  # (K, L)
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


@pytest.mark.parametrize("criterion", ["second_order", "diagonal_fisher"])
def test_weights_pruned_before_may_come_back(model, criterion):
    """Their gradients are taken as well, and the old masks give no bonus: of random subnetworks at the
    same density most weights go, and others come."""
    settings = PruneSettings(criterion=criterion, exclusivity=0.0, num_grads=4, block_size=4)
    batches = [labelled(model, seed=seed) for seed in range(4)]
    masks = update_masks(model.cbm, model.masks, batches, loss, settings, 0.75, torch.Generator())
    for concept in SPACE.concepts:
        was, kept = (
            np.concatenate([m.concept_bool(name, concept).ravel() for name in m.shapes])
            for m in (model.masks, masks)
        )
        assert was.sum() == kept.sum() == 1024
        assert (kept & ~was).sum() > 512


def test_many_gradients_are_added_up_and_few_are_stored(model):
    """Whichever takes less memory: 2·m·K·L bytes or 8·B·K·L and a buffer."""
    assert isinstance(make_store(sizes(model), K, PruneSettings(num_grads=64)), StoredGradients)
    assert isinstance(make_store(sizes(model), K, PruneSettings(num_grads=1024)), SummedGradients)
    diagonal = PruneSettings(criterion="diagonal_fisher", num_grads=64)
    assert isinstance(make_store(sizes(model), K, diagonal), SummedGradients)


@pytest.mark.parametrize("count", [BUFFER - 1, BUFFER, 2 * BUFFER + 3])
def test_both_ways_give_the_same_scores(model, count):
    stored = room(model, count)
    summed = SummedGradients(sizes(model), K, 4)
    batches = [labelled(model, seed=seed) for seed in range(count)]
    for store in (stored, summed):
        collect_gradients(model.cbm, model.masks, batches, loss, store, count, torch.float32)
    settings = PruneSettings(block_size=4, damp=1e-5)
    first, second = (
        score_weights(model.cbm, store, settings, torch.Generator()) for store in (stored, summed)
    )
    for name in first:
        np.testing.assert_allclose(second[name], first[name], rtol=1e-5)


def test_gradients_that_do_not_fit_are_refused_before_the_run(monkeypatch):
    monkeypatch.setattr(gradients, "available_memory", lambda: 8 * 10**9)
    weights = 10_616_832
    check_memory(weights, 4, PruneSettings())  # 5.4 GB
    with pytest.raises(SettingsError, match=r"need 12\.2 GB of memory, and 8\.0 GB are free") as caught:
        check_memory(weights, 4, PruneSettings(num_grads=1024))
    assert "\n" not in str(caught.value)
    check_memory(weights, 4, PruneSettings(criterion="magnitude", num_grads=1024))
    monkeypatch.setattr(gradients, "available_memory", lambda: None)
    check_memory(weights, 4, PruneSettings(num_grads=1024))


def test_no_sparsity_keeps_everything(model):
    settings = PruneSettings(sparsity=0.0, criterion="magnitude")
    masks = update_masks(model.cbm, model.masks, [], loss, settings, 0.0, torch.Generator())
    assert masks == MaskSet.ones(SPACE.concepts, model.cbm.mask_shapes)

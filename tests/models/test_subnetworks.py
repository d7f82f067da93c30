"""K subnetworks in one pass are K separate models, and nothing of a pass stays behind."""

from __future__ import annotations

import copy
import threading

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights, active, effective_weights
from tests.tiny import ARCHITECTURES, REVIEW, SPACE, make_tiny, random_masks

TEXTS = (REVIEW, "The food was great.", "We loved the dessert and the soup, but not the music.")

architectures = pytest.mark.parametrize("arch", ARCHITECTURES)


def batch(model, texts=TEXTS):
    encoded = model.encode(texts)
    ((_, ids, mask),) = model.batches(encoded, len(texts))
    return ids, mask


def multiplied_by_hand(network, masks, concept):
    """A dense copy whose weights are M_k ⊙ θ."""
    dense = copy.deepcopy(network)
    with torch.no_grad():
        for name, layer in dense.masked_layers.items():
            layer.weight.mul_(torch.from_numpy(masks.concept_bool(name, concept).copy()))
    return dense


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@architectures
def test_all_ones_masks_are_the_dense_model(tiny_models, arch):
    network = tiny_models[arch].cbm
    ids, mask = batch(tiny_models[arch])
    ones = MaskSet.ones(SPACE.concepts, network.mask_shapes)
    dense, masked = network(ids, mask), network(ids, mask, network.weights_for(ones))
    assert_close(masked.concept_logits, dense.concept_logits)
    assert_close(masked.label_logits, dense.label_logits)


@architectures
def test_one_pass_equals_a_pass_for_each_subnetwork(tiny_models, arch):
    model = tiny_models[arch]
    ids, mask = batch(model)
    output = model.cbm(ids, mask, model.weights)
    for k, concept in enumerate(SPACE.concepts):
        alone = multiplied_by_hand(model.cbm, model.masks, concept)(ids, mask)
        assert_close(output.concept_logits[:, k], alone.concept_logits[:, k])
    # the masks matter: no concept reads from the dense encoder
    assert not torch.isclose(output.concept_logits, model.cbm(ids, mask).concept_logits, atol=1e-2).any()


@architectures
def test_row_logits_run_the_concept_fastest(tiny_models, arch):
    model, k = tiny_models[arch], SPACE.num_concepts
    ids, mask = batch(model)
    expected = model.cbm(ids, mask, model.weights).concept_logits  # (B, K, C)
    rows = model.cbm.embed(ids).repeat_interleave(k, 0)  # (B·K, T, E)
    actual = model.cbm.row_logits(rows, mask.repeat_interleave(k, 0), model.weights)
    assert_close(actual.unflatten(0, (-1, k)), expected)
    dense = model.cbm.row_logits(rows, mask.repeat_interleave(k, 0), None)
    assert_close(dense.unflatten(0, (-1, k)), model.cbm(ids, mask).concept_logits)


def test_row_logits_survive_the_repetition_of_a_batch(tiny_model):
    """Integrated gradients stacks the whole batch once for every step."""
    network, k, steps = tiny_model.cbm, SPACE.num_concepts, 4
    ids, mask = batch(tiny_model)
    rows, row_mask = network.embed(ids).repeat_interleave(k, 0), mask.repeat_interleave(k, 0)
    once = network.row_logits(rows, row_mask, tiny_model.weights)
    scales = torch.linspace(0.1, 1.0, steps)
    repeated = torch.cat([scale * rows for scale in scales])
    many = network.row_logits(repeated, row_mask.repeat(steps, 1), tiny_model.weights)
    assert_close(many[-len(rows) :], once)
    for step, scale in enumerate(scales):
        alone = network.row_logits(scale * rows, row_mask, tiny_model.weights)
        assert_close(many[step * len(rows) : (step + 1) * len(rows)], alone)


@pytest.mark.parametrize("with_masks", [True, False])
def test_a_pass_never_changes_the_model(with_masks):
    model = make_tiny("bert")
    before, layers = copy.deepcopy(model.cbm.state_dict()), dict(model.cbm.masked_layers)
    output = model.cbm(*batch(model), model.weights if with_masks else None)
    output.label_logits.sum()
    assert_unchanged(model, before, layers)


def assert_unchanged(model, before, layers):
    after = model.cbm.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert model.cbm.masked_layers == layers
    assert all(dict(model.cbm.encoder.named_modules())[name] is layer for name, layer in layers.items())
    assert not model.cbm.training
    assert all(not parameter.requires_grad for parameter in model.cbm.parameters())


def test_an_error_inside_a_pass_leaves_no_trace():
    model = make_tiny("bert")
    ids, mask = batch(model)
    dense, before, layers = (
        model.cbm(ids, mask).label_logits,
        copy.deepcopy(model.cbm.state_dict()),
        dict(model.cbm.masked_layers),
    )
    broken = {name: weights for name, weights in model.weights.matrices.items() if ".1." not in name}
    with pytest.raises(KeyError):
        model.cbm(ids, mask, EffectiveWeights(SPACE.concepts, broken))
    assert_unchanged(model, before, layers)
    torch.testing.assert_close(model.cbm(ids, mask).label_logits, dense, rtol=0, atol=0)


def test_the_active_weights_are_reset_and_nest(tiny_model):
    ids, mask = batch(tiny_model)
    network, weights = tiny_model.cbm, tiny_model.weights
    layer = next(iter(network.masked_layers.values()))
    x = torch.randn(2 * SPACE.num_concepts, layer.in_features)
    dense, masked = layer(x), weights.matrices[layer.name].linear(x, layer.bias)
    assert not torch.allclose(dense, masked)
    with active(weights):
        torch.testing.assert_close(layer(x), masked, rtol=0, atol=0)
        with active(None):
            torch.testing.assert_close(layer(x), dense, rtol=0, atol=0)
        torch.testing.assert_close(layer(x), masked, rtol=0, atol=0)
        # a call without weights is dense wherever it is made
        inside = network(ids, mask).concept_logits
    torch.testing.assert_close(layer(x), dense, rtol=0, atol=0)
    torch.testing.assert_close(inside, network(ids, mask).concept_logits, rtol=0, atol=0)
    with pytest.raises(ZeroDivisionError), active(weights):
        raise ZeroDivisionError
    torch.testing.assert_close(layer(x), dense, rtol=0, atol=0)


def test_threads_use_their_own_masks_at_the_same_time(tiny_model):
    network = tiny_model.cbm
    ids, mask = batch(tiny_model)
    variants = [network.weights_for(random_masks(network, seed, 0.5)) for seed in range(3)]
    variants.append(None)
    expected = [network(ids, mask, weights).concept_logits for weights in variants]
    start, wrong = threading.Barrier(len(variants)), []

    def work(number):
        start.wait()
        for _ in range(30):
            actual = network(ids, mask, variants[number]).concept_logits
            if not torch.allclose(actual, expected[number], atol=1e-5):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(variants))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(torch.allclose(expected[0], other, atol=1e-3) for other in expected[1:])
    assert wrong == []


@architectures
def test_replacing_one_concept_changes_only_that_one(tiny_models, arch):
    model = tiny_models[arch]
    network, k = model.cbm, SPACE.concept_index("service")
    ids, mask = batch(model)
    other = random_masks(network, seed=9, density=0.6)
    own = {
        name: torch.from_numpy(other.concept_bool(name, "service").copy()) * layer.weight
        for name, layer in network.masked_layers.items()
    }
    replaced = model.weights.with_concept("service", own)
    with pytest.raises(InputError, match="unknown concept 'decor'; choose one of: food, service, noise"):
        model.weights.with_concept("decor", own)
    actual, before = network(ids, mask, replaced), network(ids, mask, model.weights)
    masks = model.masks.with_concept("service", {n: other.concept_bool(n, "service") for n in own})
    expected = network(ids, mask, network.weights_for(masks))
    assert_close(actual.concept_logits, expected.concept_logits)
    assert_close(actual.label_logits, expected.label_logits)
    kept = [i for i in range(SPACE.num_concepts) if i != k]
    assert_close(actual.concept_logits[:, kept], before.concept_logits[:, kept])
    assert not torch.allclose(actual.concept_logits[:, k], before.concept_logits[:, k], atol=1e-3)
    # the shared weights are neither copied nor written to
    for name, weights in model.weights.matrices.items():
        assert replaced.matrices[name].stacked is weights.stacked
        assert weights.replaced == {}


def test_effective_weights_are_the_masked_product(tiny_model):
    weights = effective_weights(tiny_model.cbm.masked_layers, tiny_model.masks)
    assert weights.concepts == SPACE.concepts
    for name, layer in tiny_model.cbm.masked_layers.items():
        expected = torch.from_numpy(tiny_model.masks.to_bool(name)) * layer.weight.detach()
        assert torch.equal(weights.matrices[name].stacked, expected)


def test_linear_by_hand():
    stacked = torch.tensor([[[1.0, 2.0]], [[0.0, 3.0]]])  # K = 2, O = 1, I = 2
    x = torch.tensor([[1.0, 1.0], [2.0, 0.0], [1.0, 1.0], [0.0, 5.0]])  # rows 0, 1 are concept 0's
    weights, bias = ConceptWeights(stacked), torch.tensor([10.0])
    assert weights.linear(x, bias).tolist() == [[13.0], [12.0], [13.0], [25.0]]
    assert weights.linear(x, None).tolist() == [[3.0], [2.0], [3.0], [15.0]]
    replaced = weights.with_replaced(1, torch.tensor([[1.0, 0.0]]))
    assert replaced.linear(x, bias).tolist() == [[13.0], [12.0], [11.0], [10.0]]
    assert weights.linear(x, bias).tolist() == [[13.0], [12.0], [13.0], [25.0]]
    three = x.reshape(4, 1, 2)  # (K·N, T, I)
    assert weights.linear(three, bias).shape == (4, 1, 1)
    assert weights.linear(three, bias).flatten().tolist() == [13.0, 12.0, 13.0, 25.0]

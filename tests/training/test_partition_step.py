"""Under a partition neither heads nor neurons of other concepts are computed, to the same result."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparsecbm_core.concepts import DEFAULT_STATES, ConceptSpace
from sparsecbm_core.models import attention
from sparsecbm_core.models.attention import fused_when_long
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights
from sparsecbm_core.pruning.partition import partition, unit_groups
from sparsecbm_core.training.masked_step import TrainableWeights, WeightsUnderMasks
from sparsecbm_core.training.unit_step import Units, narrow_names
from tests.tiny import ARCHITECTURES, REVIEW, make_tiny, with_masks

TEXTS = ["Cold.", REVIEW]
CONCEPTS = ("food", "service", "noise", "ambiance")  # half of one of two heads each


def parted(arch: str, concepts: tuple[str, ...] = CONCEPTS) -> ConceptModel:
    """A tiny model whose subnetworks are whole units that nobody shares."""
    model = make_tiny(arch, space=ConceptSpace(concepts, DEFAULT_STATES, ("bad", "good")))
    network, count = model.cbm, len(concepts)
    network.requires_grad_(True)
    draw = np.random.default_rng(0)
    scores = {
        name: draw.random((count, rows * columns)) for name, (rows, columns) in network.mask_shapes.items()
    }
    groups = unit_groups(network.matrices, network.encoder.config.num_attention_heads)
    bits = partition(scores, network.mask_shapes, groups, 1 - 1 / count)
    masks = MaskSet.from_flat(concepts, network.mask_shapes, bits)
    return with_masks(model, masks)


def under_masks(model: ConceptModel) -> EffectiveWeights:
    """The same weights with every head and every neuron, multiplied with 0 and 1."""
    layers = model.cbm.masked_layers
    return EffectiveWeights(
        model.space.concepts,
        {
            name: TrainableWeights(own.weight, model.masks.to_torch(name).float())
            for name, own in layers.items()
        },
    )


def read(model: ConceptModel, weights: EffectiveWeights) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Concept logits of the texts, and the gradients of their squares."""
    (_, ids, mask), *_ = model.batches(model.encode(TEXTS), 2)
    logits = model.cbm(ids, mask, weights).concept_logits
    model.cbm.zero_grad()
    logits.square().sum().backward()
    return logits.detach(), {name: p.grad for name, p in model.cbm.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("fused", [False, True])
def test_values_and_gradients_are_those_of_the_whole_step(
    arch: str, fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = parted(arch)
    expected, expected_grads = read(model, under_masks(model))
    step = WeightsUnderMasks.of(model.masks, model.cbm.masked_layers, torch.float32)
    assert len(step.narrow) == 2 * 2  # both matrices of two layers
    if fused:
        monkeypatch.setattr(attention, "LONG", 1)
        with fused_when_long():
            logits, grads = read(model, step.now())
    else:
        logits, grads = read(model, step.now())
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    assert grads.keys() == expected_grads.keys()
    for name, grad in grads.items():
        torch.testing.assert_close(grad, expected_grads[name], rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_reading_skips_the_same_heads(arch: str, heads: list[int]) -> None:
    model = parted(arch)
    (_, ids, mask), *_ = model.batches(model.encode(TEXTS), 2)
    stacked = {
        name: ConceptWeights(model.masks.to_torch(name) * layer.weight.detach())
        for name, layer in model.cbm.masked_layers.items()
    }
    with torch.no_grad():
        expected = model.cbm(ids, mask, EffectiveWeights(model.space.concepts, stacked)).concept_logits
        assert set(heads) == {2}
        heads.clear()
        found = model.cbm(ids, mask, model.weights).concept_logits
        assert set(heads) == {1}
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        # A corrected concept may need both heads; the others still read by one.
        name = next(name for name in stacked if name.endswith(("value", "v_lin", "v_proj")))
        whole = model.cbm.masked_layers[name].weight.detach()
        heads.clear()
        found = model.cbm(ids, mask, model.weights.with_concept("food", {name: whole})).concept_logits
        assert sorted(set(heads)) == [1, 2]
        plain = EffectiveWeights(model.space.concepts, stacked).with_concept("food", {name: whole})
        torch.testing.assert_close(found, model.cbm(ids, mask, plain).concept_logits, rtol=1e-4, atol=1e-5)


def test_under_dropout_every_head_is_computed(heads: list[int]) -> None:
    model = parted("bert")
    for module in model.cbm.encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    model.cbm.train()
    (_, ids, mask), *_ = model.batches(model.encode(TEXTS), 2)
    step = WeightsUnderMasks.of(model.masks, model.cbm.masked_layers, torch.float32)
    model.cbm(ids, mask, step.now())
    assert set(heads) == {2}


def test_neurons_that_differ_between_the_two_matrices_are_kept() -> None:
    rows, columns = torch.tensor([[0, 1], [2, 3]]), torch.tensor([[0, 1], [2, 4]])
    first, second = "layer.0.intermediate.dense", "layer.0.output.dense"
    assert narrow_names({first: Units(rows, True), second: Units(rows, False)}) == {first, second}
    assert not narrow_names({first: Units(rows, True), second: Units(columns, False)})
    assert not narrow_names({first: Units(rows, False), second: Units(rows, False)})
    assert not narrow_names(
        {"layer.0.attention.output.dense": Units(rows, False), second: Units(rows, False)}
    )


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many heads each reading of a layer computed."""
    seen: list[int] = []
    plain = attention._plain

    def watched(module: torch.nn.Module, query: torch.Tensor, *others: object, **options: object) -> object:
        seen.append(query.shape[1])
        return plain(module, query, *others, **options)

    monkeypatch.setattr(attention, "_plain", watched)
    return seen

"""Weights solved for: least squares by hand, and subnetworks that compute what the dense model does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights
from sparsecbm_core.pruning.compensate import compensate, least_squares
from sparsecbm_core.pruning.partition import partition, unit_groups
from tests.tiny import ARCHITECTURES, make_tiny
from tests.toy import toy_reviews

REVIEWS = toy_reviews(24).texts


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("scattered", [True, False])
def test_each_row_is_the_ridge_solution_over_its_own_columns(scattered):
    x, dense = torch.randn(50, 6, generator=generator()), torch.randn(4, 6, generator=generator(1))
    y = x @ dense.T
    mask = torch.zeros(4, 6, dtype=torch.bool)
    for row in range(3):  # the last row keeps nothing
        mask[
            row, torch.randperm(6, generator=generator(row))[: 3 + (row == 1)] if scattered else slice(2)
        ] = 1
    ridge = 0.3
    solved = least_squares(x, y, mask, dense, ridge)
    assert (solved[~mask] == 0).all()
    pull = ridge * float(x.double().square().mean(0).mean())
    for row in range(3):
        own = mask[row]
        a, w = x[:, own].double(), dense[row, own].double()
        left = a.T @ a / len(a) + pull * torch.eye(int(own.sum()))
        # The pull is towards the dense weights: those left out pull at nothing.
        right = a.T @ y[:, row].double() / len(a) + pull * w
        torch.testing.assert_close(
            solved[row, own].double(), torch.linalg.solve(left, right), atol=1e-4, rtol=0
        )


def test_what_can_be_written_exactly_is():
    # The second half of the inputs repeats the first: one half is enough.
    half, dense = torch.randn(40, 3, generator=generator()), torch.randn(2, 6, generator=generator(1))
    x = torch.cat([half, half], 1)
    mask = torch.zeros(2, 6, dtype=torch.bool)
    mask[:, :3] = True
    solved = least_squares(x, x @ dense.T, mask, dense, ridge=1e-6)
    torch.testing.assert_close(x @ solved.T, x @ dense.T, atol=1e-3, rtol=0)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_subnetworks_come_nearer_to_the_dense_model(arch):
    model = make_tiny(arch, density=None)
    network, k = model.cbm, model.space.num_concepts
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    rng = np.random.default_rng(0)
    scores = {name: rng.random((k, r * c)).astype(np.float32) for name, (r, c) in network.mask_shapes.items()}
    groups = unit_groups(network.matrices, int(network.encoder.config.num_attention_heads))
    flat = partition(scores, network.mask_shapes, groups, 1 - 1 / k)
    shapes = network.mask_shapes
    masks = MaskSet.from_flat(model.space.concepts, shapes, flat)
    batches = [(ids, mask) for _, ids, mask in model.batches(model.encode(REVIEWS), 8)]
    steps: list[tuple[int, int]] = []
    theta = compensate(network, masks, batches, lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] == len(steps)
    assert set(theta) == set(shapes)
    assert not network.training
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=0, rtol=0)

    def distance(weights: EffectiveWeights) -> float:
        total = 0.0
        for ids, mask in batches:
            dense = network(ids, mask).pooled
            total += float((network(ids, mask, weights).pooled - dense).square().sum())
        return total

    def under(values) -> EffectiveWeights:
        return EffectiveWeights(
            masks.concepts, {n: ConceptWeights(masks.to_torch(n) * values[n]) for n in values}
        )

    with torch.no_grad():
        plain = {name: item.weight for name, item in network.masked_layers.items()}
        assert distance(under(theta)) < 0.6 * distance(under(plain))


def test_a_weight_of_two_subnetworks_gets_the_mean():
    model = make_tiny("bert", density=None)
    network = model.cbm
    masks = MaskSet.ones(model.space.concepts, network.mask_shapes)
    batches = [(ids, mask) for _, ids, mask in model.batches(model.encode(REVIEWS), 8)]
    theta = compensate(network, masks, batches)
    for name, weight in theta.items():  # nothing is left out: the dense weights solve it
        torch.testing.assert_close(weight, network.masked_layers[name].weight, atol=2e-2, rtol=0)

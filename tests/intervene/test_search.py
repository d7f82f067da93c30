"""How many bits are flipped, on a stand-in whose gap is a number of flips and nothing else."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.intervene.rules import RULES
from sparsecbm_core.intervene.search import AUTO_GRADIENTS, RESOLUTION, flip_fewest, flip_fixed
from sparsecbm_core.intervene.subnetwork import Subnetwork


@pytest.fixture
def subnetwork(tiny_model, monkeypatch) -> Subnetwork:
    monkeypatch.setattr("sparsecbm_core.intervene.search.AUTO_LIMIT", 0.05)
    return Subnetwork(tiny_model, tiny_model.masks, "food")


def flipped(subnetwork: Subnetwork) -> int:
    return subnetwork.edit().size // 2


def gradient(subnetwork: Subnetwork) -> torch.Tensor:
    return torch.linspace(-1, 1, subnetwork.total)


@pytest.mark.parametrize("needed", [1, 3, 4, 5, 31, 100])
def test_auto_takes_hardly_more_than_needed(subnetwork, needed):
    found = flip_fewest(subnetwork, RULES["signed"], lambda s: flipped(s) - needed, gradient, None, 0)
    assert found.reached
    assert found.gradients == 1
    assert found.flipped == flipped(subnetwork)
    assert needed <= found.flipped <= needed + max(1, needed // (RESOLUTION - 2))


def test_what_one_gradient_cannot_a_second_may(subnetwork):
    limit = int(0.05 * subnetwork.total)
    found = flip_fewest(subnetwork, RULES["signed"], lambda s: flipped(s) - 1.5 * limit, gradient, None, 0)
    assert found.reached
    assert found.gradients == 2


def test_not_reached_is_an_outcome_and_the_closest_stays(subnetwork):
    gaps = []

    def gap(s: Subnetwork) -> float:
        gaps.append(-abs(flipped(s) - 8) - 1)  # best at eight flips, never enough
        return gaps[-1]

    found = flip_fewest(subnetwork, RULES["signed"], gap, gradient, None, 0)
    assert not found.reached
    assert found.gradients == AUTO_GRADIENTS
    assert flipped(subnetwork) == 8
    assert gap(subnetwork) == max(gaps)


@pytest.mark.parametrize("rule", ["signed", "paper", "random"])
def test_a_fixed_number_is_kept_to_and_the_sparsity_with_it(subnetwork, rule):
    kept = int(subnetwork.kept.sum())
    found = flip_fixed(subnetwork, RULES[rule], 17, lambda s: 1.0, gradient, None, 0)
    assert (found.flipped, found.reached, flipped(subnetwork)) == (17, True, 17)
    assert int(subnetwork.kept.sum()) == kept

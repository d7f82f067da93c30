"""Which bits are flipped, and how many: on a stand-in whose gap is a number of flips and nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.intervene.flips import (
    AUTO_GRADIENTS,
    RESOLUTION,
    FlipOrder,
    flip_fewest,
    highest_of_both,
)
from sparsecbm_core.intervene.rules import RULES
from sparsecbm_core.intervene.subnetwork import Subnetwork


@pytest.fixture
def subnetwork(tiny_model, monkeypatch) -> Subnetwork:
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.05)
    return Subnetwork(tiny_model, "food")


def flipped(subnetwork: Subnetwork) -> int:
    return subnetwork.edit().size // 2


def gradient(subnetwork: Subnetwork) -> torch.Tensor:
    return torch.linspace(-1, 1, subnetwork.total)


@pytest.mark.parametrize("needed", [1, 3, 4, 5, 31, 100])
def test_auto_takes_hardly_more_than_needed(subnetwork, needed):
    assert flip_fewest(subnetwork, RULES["signed"], lambda s: flipped(s) - needed, gradient, None, 0) == 1
    assert needed <= flipped(subnetwork) <= needed + max(1, needed // (RESOLUTION - 2))


def test_what_one_gradient_cannot_a_second_may(subnetwork):
    limit = int(0.05 * subnetwork.total)
    needed = 1.5 * limit
    assert flip_fewest(subnetwork, RULES["signed"], lambda s: flipped(s) - needed, gradient, None, 0) == 2
    assert flipped(subnetwork) >= needed


def test_not_reached_is_an_outcome_and_the_closest_stays(subnetwork):
    gaps = []

    def gap(s: Subnetwork) -> float:
        gaps.append(-abs(flipped(s) - 8) - 1)  # best at eight flips, never enough
        return gaps[-1]

    assert flip_fewest(subnetwork, RULES["signed"], gap, gradient, None, 0) == AUTO_GRADIENTS
    assert flipped(subnetwork) == 8
    assert gap(subnetwork) == max(gaps)


@pytest.mark.parametrize("rule", ["signed", "paper", "random"])
def test_a_fixed_number_is_kept_to_and_the_sparsity_with_it(subnetwork, rule):
    kept = int(subnetwork.kept.sum())
    FlipOrder.of(subnetwork, RULES[rule], 17, gradient(subnetwork), None, 0).go_to(17)
    assert flipped(subnetwork) == 17
    assert int(subnetwork.kept.sum()) == kept


def test_going_back_along_an_order_restores_the_masks(tiny_model):
    subnetwork = Subnetwork(tiny_model, "food")
    gradient = torch.linspace(-1, 1, subnetwork.total)
    order = FlipOrder.of(subnetwork, RULES["signed"], 50, gradient, None, 0)
    assert order.limit == 50
    order.go_to(30)
    at_30 = subnetwork.edit()
    assert at_30.size == 60
    order.go_to(50)
    order.go_to(30)
    assert subnetwork.edit() == at_30
    order.go_to(0)
    assert (subnetwork.edit().size, order.count) == (0, 0)


def best(scores, allowed, count):
    """By a full sort: best first, ties by position."""
    ranked = scores.argsort(descending=True, stable=True)
    return ranked[allowed[ranked]][:count].tolist()


@given(
    size=st.integers(1, 3000),
    share=st.floats(0.0, 1.0),
    count=st.integers(0, 500),
    levels=st.sampled_from([3, 50, 10**6]),
    seed=st.integers(0, 1000),
)
def test_the_best_of_both_sides_are_those_of_a_full_sort(size, share, count, levels, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(-levels, levels, (size,), generator=generator).float()
    kept = torch.rand(size, generator=generator) < share
    drop, grow = highest_of_both(scores, kept, count)
    assert drop.tolist() == best(scores, kept, count)
    assert grow.tolist() == best(scores, ~kept, count)


@pytest.mark.parametrize("kept_score", [-5.0, 0.0, 5.0])
def test_a_sample_of_many_weights_finds_the_same(kept_score):
    """More weights than are sampled, and sides whose scores lie far apart."""
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(400_000, generator=generator)
    kept = torch.rand(400_000, generator=generator) < 0.25
    scores[kept] += kept_score
    drop, grow = highest_of_both(scores, kept, 100)
    assert drop.tolist() == best(scores, kept, 100)
    assert grow.tolist() == best(scores, ~kept, 100)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_sample_that_misleads_costs_nothing_but_time(ordered):
    """Above 65,536 weights a sample sets the threshold; here it sees only the worst or the best."""
    size, count = 400_000, 300
    scores = torch.zeros(size)
    stride = size // 65_536
    scores[::stride] = 1.0 if ordered else -1.0
    scores += torch.arange(size) * 1e-9
    kept = torch.rand(size, generator=torch.Generator().manual_seed(0)) < 0.5
    for found, allowed in zip(highest_of_both(scores, kept, count), (kept, ~kept), strict=True):
        assert found.tolist() == best(scores, allowed, count)

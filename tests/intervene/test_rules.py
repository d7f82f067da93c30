"""Which bits a rule flips, worked out by hand, and the best ones found without sorting everything."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.rules import GUARD_FLOOR, RULES, RuleInputs, highest, rule_named

GRADIENT = torch.tensor([3.0, -2.0, 0.5, -4.0, 1.0, 0.0])
KEPT = torch.tensor([True, True, True, False, False, False])


def inputs(profile: torch.Tensor | None = None, seed: int = 0) -> RuleInputs:
    return RuleInputs(GRADIENT, KEPT, profile, torch.Generator().manual_seed(seed))


def test_signed_is_what_a_flip_promises():
    # kept: dropping changes m by −1, so the loss falls by +g; pruned: growing by +1, so it falls by −g
    assert RULES["signed"].scores(inputs()).tolist() == [3.0, -2.0, 0.5, 4.0, -1.0, 0.0]


def test_paper_drops_the_lowest_and_grows_the_highest_magnitude():
    scores = RULES["paper"].scores(inputs())
    assert highest(scores, KEPT, 1).tolist() == [2]  # |0.5| is the least of the kept
    assert highest(scores, ~KEPT, 1).tolist() == [3]  # |−4| the most of the pruned


def test_guarded_divides_by_what_the_weight_does_elsewhere():
    h = torch.tensor([8.0, 1.0, 1.0, 2.0, 0.0, 0.0])
    floor = GUARD_FLOOR * 2.0  # the mean of h is 2
    expected = [3 / (8 + floor), -2 / (1 + floor), 0.5 / (1 + floor), 4 / (2 + floor), -1 / floor, 0.0]
    torch.testing.assert_close(RULES["guarded"].scores(inputs(h)), torch.tensor(expected))


def test_guarded_with_a_level_profile_is_signed():
    guarded = RULES["guarded"].scores(inputs(torch.ones(6)))
    assert guarded.argsort().tolist() == RULES["signed"].scores(inputs()).argsort().tolist()
    zero = RULES["guarded"].scores(inputs(torch.zeros(6)))
    assert torch.isfinite(zero).all()


def test_random_follows_its_seed():
    first, again, other = (RULES["random"].scores(inputs(seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_what_a_rule_cannot_do_without():
    with pytest.raises(InputError, match="guard profile"):
        RULES["guarded"].scores(inputs())
    with pytest.raises(
        InputError, match="unknown rule 'magic'; choose one of: guarded, signed, paper, random"
    ):
        rule_named("magic")


@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(0, 500), st.booleans())
def test_the_best_ones_are_those_of_a_full_sort(seed, size, count, ties):
    generator = np.random.default_rng(seed)
    values = generator.integers(0, 4, size) if ties else generator.normal(size=size)
    scores, allowed = torch.tensor(values).float(), torch.tensor(generator.random(size) < 0.6)
    ranked = [i for i in scores.argsort(descending=True, stable=True).tolist() if allowed[i]]
    assert highest(scores, allowed, count).tolist() == ranked[:count]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_sample_that_misleads_costs_nothing_but_time(ordered):
    """Above 65,536 weights a sample sets the threshold; here it sees only the worst or the best."""
    size, count = 400_000, 300
    scores = torch.zeros(size)
    stride = size // 65_536
    scores[::stride] = 1.0 if ordered else -1.0
    scores += torch.arange(size) * 1e-9
    allowed = torch.ones(size, dtype=torch.bool)
    expected = scores.argsort(descending=True, stable=True)[:count]
    assert torch.equal(highest(scores, allowed, count), expected)

"""Which bits a rule flips, worked out by hand, and what the registry says of every rule."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.comparators import BY_NAME
from sparsecbm_core.intervene.flips import highest_of_both
from sparsecbm_core.intervene.rules import (
    ALL_RULES,
    AUTO,
    COMPARATORS,
    GUARD_FLOOR,
    RULES,
    RuleInputs,
    rule_named,
)
from sparsecbm_core.intervene.scope import SIMILAR

GRADIENT = torch.tensor([3.0, -2.0, 0.5, -4.0, 1.0, 0.0])
KEPT = torch.tensor([True, True, True, False, False, False])


def inputs(profile: torch.Tensor | None = None, seed: int = 0) -> RuleInputs:
    return RuleInputs(GRADIENT, KEPT, profile, torch.Generator().manual_seed(seed))


def test_signed_is_what_a_flip_promises():
    # kept: dropping changes m by −1, so the loss falls by +g; pruned: growing by +1, so it falls by −g
    assert RULES["signed"].scores(inputs()).tolist() == [3.0, -2.0, 0.5, 4.0, -1.0, 0.0]


def test_paper_drops_the_lowest_and_grows_the_highest_magnitude():
    drop, grow = highest_of_both(RULES["paper"].scores(inputs()), KEPT, 1)
    assert drop.tolist() == [2]  # |0.5| is the least of the kept
    assert grow.tolist() == [3]  # |−4| the most of the pruned


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


def test_every_rule_says_what_it_is():
    assert {name: rule.name for name, rule in ALL_RULES.items()} == {name: name for name in ALL_RULES}
    assert all(
        rule.title and rule.description and "\n" not in rule.description for rule in ALL_RULES.values()
    )
    assert [rule.flips_masks for rule in ALL_RULES.values()] == [True] * len(RULES) + [False] * len(
        COMPARATORS
    )
    assert set(BY_NAME) == set(COMPARATORS)
    with pytest.raises(InputError, match="leaves the masks alone"):
        COMPARATORS["oracle"].scores(inputs())


def test_only_the_guarded_rule_can_spare_single_readings():
    assert [name for name, rule in ALL_RULES.items() if rule.can_protect(AUTO)] == ["guarded"]
    guarded = RULES["guarded"]
    assert guarded.can_protect(None)
    assert not guarded.can_protect(0.01)
    assert not guarded.can_protect(AUTO, SIMILAR)

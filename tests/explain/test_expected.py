"""The answer shared out among its parts: Shapley values by hand, by definition, and by sampling."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.explain import expected, explain
from sparsecbm_core.explain.expected import shapley_values
from tests.tiny import REVIEW

STARS = torch.tensor([1.0, 2.0, 3.0, 4.0])


def drawn(seed, texts=2, parts=3):
    generator = torch.Generator().manual_seed(seed)
    contributions = torch.randn(texts, parts, len(STARS), generator=generator, dtype=torch.float64)
    return contributions, torch.randn(len(STARS), generator=generator, dtype=torch.float64)


def test_by_hand():
    """Two labels, 0 and 100, two parts: one of ln 3 for the second label, one of −ln 3. Alone they make 75
    and 25 of the 50, together 50: each has a Shapley value of the mean of what it adds first and last."""
    three = torch.tensor(3.0).log()
    contributions = torch.stack(
        [torch.stack([torch.zeros(()), three]), torch.stack([torch.zeros(()), -three])]
    )
    shares, value, base = shapley_values(contributions[None], torch.zeros(2), torch.tensor([0.0, 100.0]))
    assert (value.item(), base.item()) == (pytest.approx(50), pytest.approx(50))
    assert shares[0].tolist() == pytest.approx([25, -25])


@given(seed=st.integers(0, 10**6))
def test_by_definition(seed):
    """The mean over all orders of what a part adds to those before it."""
    contributions, base = drawn(seed, texts=1)
    expectation = [0.0] * 3
    for order in permutations(range(3)):
        logits = base.clone()
        for part in order:
            before = logits.softmax(-1) @ STARS.double()
            logits = logits + contributions[0, part]
            expectation[part] += float(logits.softmax(-1) @ STARS.double() - before) / 6
    assert shapley_values(contributions, base, STARS)[0][0].tolist() == pytest.approx(expectation)


@given(seed=st.integers(0, 10**6))
def test_they_add_up_and_nothing_has_nothing(seed):
    contributions, base = drawn(seed)
    contributions[1, 2] = 0.0
    shares, value, start = shapley_values(contributions, base, STARS)
    torch.testing.assert_close(shares.sum(1) + start, value)
    assert shares[1, 2] == 0.0


def test_many_parts_are_sampled_and_add_up(monkeypatch):
    contributions, base = drawn(0, parts=6)
    exact, _, _ = shapley_values(contributions, base, STARS)
    monkeypatch.setattr(expected, "EXACT", 5)
    sampled, value, start = shapley_values(contributions, base, STARS)
    torch.testing.assert_close(sampled.sum(1) + start, value)
    torch.testing.assert_close(sampled, exact, atol=0.1, rtol=0)


@pytest.mark.parametrize("fixture", ["tiny_model", "honest_model"])
def test_an_explanation_has_them(fixture, request):
    model = request.getfixturevalue(fixture)
    why = explain(model, REVIEW, None)
    found = why.expected
    assert tuple(found.parts) == model.cbm.parts
    assert found.base + sum(found.parts.values()) == pytest.approx(found.value, abs=1e-4)
    shares = torch.tensor(list(why.probabilities.values()))
    assert found.value == pytest.approx(float(shares @ STARS), abs=1e-5)
    silent = {name for name, item in why.concepts.items() if item.state == "unknown"}
    if fixture == "honest_model":
        assert all(found.parts[name] == 0.0 for name in silent)

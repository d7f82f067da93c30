"""The best weights to drop and to grow, found in one pass."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.intervene.order import highest_of_both
from sparsecbm_core.intervene.rules import highest


@given(
    size=st.integers(1, 3000),
    share=st.floats(0.0, 1.0),
    count=st.integers(1, 200),
    levels=st.sampled_from([3, 50, 10**6]),
    seed=st.integers(0, 1000),
)
def test_both_sides_at_once_are_what_each_alone_gives(
    size: int, share: float, count: int, levels: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(-levels, levels, (size,), generator=generator).float()
    kept = torch.rand(size, generator=generator) < share
    drop, grow = highest_of_both(scores, kept, count)
    assert torch.equal(drop, highest(scores, kept, count))
    assert torch.equal(grow, highest(scores, ~kept, count))


@pytest.mark.parametrize("kept_score", [-5.0, 0.0, 5.0])
def test_a_sample_of_many_weights_finds_the_same(kept_score: float) -> None:
    """More weights than are sampled, and sides whose scores lie far apart."""
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(400_000, generator=generator)
    kept = torch.rand(400_000, generator=generator) < 0.25
    scores[kept] += kept_score
    drop, grow = highest_of_both(scores, kept, 100)
    assert torch.equal(
        drop, torch.where(kept, scores, -torch.inf).argsort(descending=True, stable=True)[:100]
    )
    assert torch.equal(
        grow, torch.where(kept, -torch.inf, scores).argsort(descending=True, stable=True)[:100]
    )

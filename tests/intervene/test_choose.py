"""Flips chosen by what they do to several reviews, worked out by hand, and properties of every choice."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.intervene.choose import Wishes, choose_flips

KEPT = torch.tensor([True, True, True, False, False, False])


def wishes(wanted, lifts, urgent, anchors=None, pulls=None, cost=0.01) -> Wishes:
    wanted = torch.tensor(wanted)
    anchors = torch.zeros(0, wanted.shape[1]) if anchors is None else torch.tensor(anchors)
    count = anchors.shape[0]
    return Wishes(
        wanted,
        torch.tensor(lifts),
        torch.tensor(urgent),
        anchors,
        torch.zeros(count) if pulls is None else torch.tensor(pulls),
        torch.full((count,), 1 / max(1, count)),
        torch.full((wanted.shape[1],), cost),
    )


def test_the_strongest_pair_that_is_enough():
    asked = wishes([[0.1, 1.0, 0.2, 0.1, 0.2, 1.0]], [1.9], [True])
    assert choose_flips(asked, KEPT, 6).nonzero().flatten().tolist() == [1, 5]


def test_what_would_move_an_anchor_is_left():
    effects = [[1.0, 1.0, 0.0, 1.0, 1.0, 0.0]]
    asked = wishes(effects, [1.9], [True], anchors=[[3.0, 0.0, 0.0, 0.0, 3.0, 0.0]])
    assert choose_flips(asked, KEPT, 6).nonzero().flatten().tolist() == [1, 3]


def test_what_would_break_an_earlier_correction_is_made_good():
    # the only flips that lift the first review lower the second; others lift the second alone
    asked = wishes(
        [[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [-1.0, 0.9, 0.0, -1.0, 0.9, 0.0]], [1.9, -0.3], [True, False]
    )
    chosen = choose_flips(asked, KEPT, 6)
    assert chosen.nonzero().flatten().tolist() == [0, 1, 3, 4]


def test_an_anchor_that_has_moved_is_brought_back():
    asked = wishes(
        [[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]],
        [1.9],
        [True],
        anchors=[[0.0, 0.5, 0.0, 0.0, 0.5, 0.0]],
        pulls=[1.0],
        cost=0.001,
    )
    assert choose_flips(asked, KEPT, 6).nonzero().flatten().tolist() == [0, 1, 3, 4]


def test_nothing_to_wish_for_is_nothing_to_flip():
    asked = wishes([[1.0] * 6], [-0.5], [False])
    assert not choose_flips(asked, KEPT, 6).any()


@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(0, 5), st.integers(2, 60))
def test_as_many_dropped_as_grown(seed, earlier, anchors, limit):
    generator = torch.Generator().manual_seed(seed)
    count = 80
    kept = torch.rand(count, generator=generator) < 0.5
    weights = torch.rand(anchors, generator=generator)
    effects = torch.randn(anchors, count, generator=generator)
    asked = Wishes(
        torch.randn(1 + earlier, count, generator=generator) / 4,
        torch.cat([torch.tensor([1.0]), -torch.rand(earlier, generator=generator)]),
        torch.arange(1 + earlier) == 0,
        effects,
        torch.zeros(anchors),
        weights / weights.sum().clamp(min=1e-9),
        torch.rand(count, generator=generator),
    )
    chosen = choose_flips(asked, kept, limit)
    assert int(chosen[kept].sum()) == int(chosen[~kept].sum())
    assert int(chosen.sum()) <= limit + 32  # the last block may go beyond
    if int(chosen.sum()) < limit and int(kept.sum()) > 20 and int((~kept).sum()) > 20 and earlier == 0:
        assert float(asked.lifts[0] - (asked.wanted @ chosen.float())[0]) <= 0.1

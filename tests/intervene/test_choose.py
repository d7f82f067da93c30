"""Which flips for many reviews: their effects against every review's own gradient, and choices worked out by
hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecbm_core.intervene.choose import OWN, Linearised, Wishes, choose_flips, directions
from sparsecbm_core.intervene.reading import leads
from sparsecbm_core.intervene.subnetwork import Subnetwork
from tests.tiny import ARCHITECTURES, REVIEW, tiny

TEXTS = [REVIEW, "good food", "the service was slow and the music loud"]
KEPT = torch.tensor([True, True, True, False, False, False])


def test_leads_and_their_directions():
    logits, states = torch.tensor([[1.0, 3.0, 2.5], [0.0, -1.0, 4.0]]), torch.tensor([1, 0])
    ahead, others = leads(logits, states)
    assert ahead.tolist() == [0.5, -4.0]
    assert others.tolist() == [2, 2]
    assert directions(logits, states).tolist() == [[0.0, 1.0, -1.0], [1.0, 0.0, -1.0]]


@pytest.mark.parametrize("arch", [*ARCHITECTURES, "albert", "deberta-v2", "qwen3"])
def test_every_review_has_its_own_gradient(arch):
    model = tiny(arch)
    subnetwork = Subnetwork(model, "service")
    encoded, states = model.encode(TEXTS), torch.tensor([0, OWN, 2])
    indices = torch.arange(0, subnetwork.total, 3)
    picture = Linearised.of(subnetwork, encoded, states, indices)
    said = model.predict(TEXTS).concept_logits[:, 1]
    assert picture.states.tolist() == [0, int(said[1].argmax()), 2]
    torch.testing.assert_close(picture.leads, leads(said, picture.states)[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(subnetwork.read_many(encoded), said, rtol=1e-4, atol=1e-4)
    step = torch.where(subnetwork.kept[indices], -1.0, 1.0)  # a kept weight is dropped, a pruned one grown
    for row, text in enumerate(TEXTS):
        towards = directions(said[row : row + 1], picture.states[row : row + 1])
        gradient, _ = subnetwork.gradient(
            subnetwork.batch([text]), lambda logits, towards=towards: (logits * towards).sum()
        )
        torch.testing.assert_close(picture.effects[row], gradient[indices] * step, rtol=1e-3, atol=1e-4)


def test_a_flip_does_about_what_was_foretold(tiny_model):
    subnetwork = Subnetwork(tiny_model, "food")
    encoded = tiny_model.encode(TEXTS)
    subnetwork.theta = (
        subnetwork.theta * 1e-3
    )  # flips of small weights, so that the first order is all there is
    everything = torch.arange(subnetwork.total)
    picture = Linearised.of(subnetwork, encoded, torch.full((3,), OWN), everything)
    index = int(picture.effects.abs().sum(0).argmax())
    change = torch.where(subnetwork.kept[index], -1.0, 1.0) * subnetwork.theta[index]
    subnetwork.effective[index] += change
    after = leads(subnetwork.read_many(encoded), picture.states)[0]
    torch.testing.assert_close(after - picture.leads, picture.effects[:, index], rtol=0.1, atol=1e-4)


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


@settings(max_examples=30)
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

"""The effect of a flip on a lead, against the gradient of every single review."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.intervene.effects import OWN, Linearised, directions, leads, read
from sparsecbm_core.intervene.subnetwork import Subnetwork
from tests.tiny import ARCHITECTURES, REVIEW

TEXTS = [REVIEW, "good food", "the service was slow and the music loud"]


def test_leads_and_their_directions():
    logits, states = torch.tensor([[1.0, 3.0, 2.5], [0.0, -1.0, 4.0]]), torch.tensor([1, 0])
    ahead, others = leads(logits, states)
    assert ahead.tolist() == [0.5, -4.0]
    assert others.tolist() == [2, 2]
    assert directions(logits, states).tolist() == [[0.0, 1.0, -1.0], [1.0, 0.0, -1.0]]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_review_has_its_own_gradient(tiny_models, arch):
    model = tiny_models[arch]
    subnetwork = Subnetwork(model, model.masks, "service")
    encoded, states = model.encode(TEXTS), torch.tensor([0, OWN, 2])
    indices = torch.arange(0, subnetwork.total, 3)
    picture = Linearised.of(subnetwork, encoded, states, indices)
    said = model.predict(TEXTS).concept_logits[:, 1]
    assert picture.states.tolist() == [0, int(said[1].argmax()), 2]
    torch.testing.assert_close(picture.leads, leads(said, picture.states)[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(read(subnetwork, encoded), said, rtol=1e-4, atol=1e-4)
    step = torch.where(subnetwork.kept[indices], -1.0, 1.0)  # a kept weight is dropped, a pruned one grown
    for row, text in enumerate(TEXTS):
        towards = directions(said[row : row + 1], picture.states[row : row + 1])
        gradient, _ = subnetwork.gradient(
            subnetwork.batch([text]), lambda logits, towards=towards: (logits * towards).sum()
        )
        torch.testing.assert_close(picture.effects[row], gradient[indices] * step, rtol=1e-3, atol=1e-4)


def test_a_flip_does_about_what_was_foretold(tiny_model):
    subnetwork = Subnetwork(tiny_model, tiny_model.masks, "food")
    encoded = tiny_model.encode(TEXTS)
    subnetwork.theta = (
        subnetwork.theta * 1e-3
    )  # flips of small weights, so that the first order is all there is
    everything = torch.arange(subnetwork.total)
    picture = Linearised.of(subnetwork, encoded, torch.full((3,), OWN), everything)
    index = int(picture.effects.abs().sum(0).argmax())
    change = torch.where(subnetwork.kept[index], -1.0, 1.0) * subnetwork.theta[index]
    subnetwork.effective[index] += change
    after = leads(read(subnetwork, encoded), picture.states)[0]
    torch.testing.assert_close(after - picture.leads, picture.effects[:, index], rtol=0.1, atol=1e-4)

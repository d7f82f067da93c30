"""What teaches the honest bottleneck, by hand, and a run of it from beginning to a correction."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from sparsecbm_core.data.types import Example
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.training import pathway
from sparsecbm_core.training.losses import LabelledBatch
from sparsecbm_core.training.pathway import (
    edit_pairs,
    locality_loss,
    pathway_losses,
    set_by_hand,
    task_loss,
    which_to_set,
)
from sparsecbm_core.training.trainer import Trainer
from tests.tiny import SPACE, make_tiny
from tests.toy import quick_settings, toy_reviews


def made(number, concepts, group=None, edit=None):
    return Example(str(number), "text", 0, concepts, group, edit)


@pytest.fixture(scope="module")
def network():
    return make_tiny("bert", head="honest").cbm


def said_of(network, count=6, seed=0):
    shape = (count, *network.readout[1].shape)
    return network.bottleneck(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))


def test_pairs_are_an_original_with_its_edits_and_edits_of_one_concept():
    examples = [
        made(0, (0, 2, 2), "a"),
        made(1, (1, 2, 2), "a", "food"),
        made(2, (2, 2, 2), "a", "food"),
        made(3, (0, 1, 2), "a", "service"),
        made(4, (0, 2, 2), "b"),
        made(5, (0, 2, 2)),
    ]
    assert edit_pairs(examples, SPACE) == [(0, 1, 0), (0, 2, 0), (0, 3, 1), (1, 2, 0)]


def test_only_what_was_not_edited_has_to_stay():
    """Two texts, three concepts, two labels: by (1, 1), (2, 4) and (0.5, 0.5) they differ."""
    first = torch.zeros(3, 2)
    second = torch.tensor([[1.0, 1.0], [2.0, 4.0], [0.5, 0.5]])
    contributions = torch.stack([first, second])
    assert locality_loss(contributions, torch.tensor([[0, 1, 1]])).item() == pytest.approx(1.5)
    both = locality_loss(contributions, torch.tensor([[0, 1, 1], [0, 1, 0]])).item()
    assert both == pytest.approx((1.5 + 3.5) / 2)


def test_the_rest_learns_on_top_and_concepts_do_not_hear_of_it(network):
    said, labels = said_of(network), torch.arange(6) % 4
    activations = said.activations.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(task_loss(network, activations, labels, "on_top"), activations)
    alone = said.activations.detach().requires_grad_()
    (own,) = torch.autograd.grad(task_loss(network, alone, labels, "none"), alone)
    torch.testing.assert_close(gradient[:, :-1], own[:, :-1])
    assert float(own[:, -1].abs().max()) == 0.0 < float(gradient[:, -1].abs().max())
    joint = F.cross_entropy(said.label_logits, labels)
    torch.testing.assert_close(task_loss(network, said.activations, labels, "joint"), joint)


def test_the_rest_pays_for_moving_the_expected_label_alone(network):
    """One concept is mentioned, ever so little, and no label is likelier: concepts expect the middle of the
    scale. Where none is mentioned the answer is the rest's, at no cost."""
    free = copy.deepcopy(network)
    labels = SPACE.num_labels
    free.classifier_bias.zero_()
    free.classifier_rest.copy_(torch.tensor(2.0).expm1().log())  # softplus of it is 2
    activations = torch.zeros(1, *free.reference.shape)
    activations[0, 0, 0] = 1e-9

    def paid(values):
        activations[0, -1, :labels] = torch.tensor(values)
        return sum(
            sign * task_loss(free, activations, torch.tensor([0]), "on_top", penalty).item()
            for sign, penalty in ((1, 3.0), (-1, 0.0))
        )

    surer = [-1.0, *[0.0] * (labels - 2), -1.0]
    assert paid(surer) == pytest.approx(0.0, abs=1e-6)
    odds = torch.tensor([0.0] * (labels - 1) + [2.0]).softmax(-1)
    expected = float(odds @ torch.linspace(0, 1, labels))  # in lengths of the scale
    assert paid([0.0] * (labels - 1) + [1.0]) == pytest.approx(3 * (expected - 0.5), rel=1e-5)
    activations[0, 0, 0] = 0.0
    assert paid([0.0] * (labels - 1) + [1.0]) == 0.0


def test_by_hand_concepts_are_as_strong_as_the_text_has_them(network):
    said = said_of(network)
    states = torch.tensor([[0, 1, 2]] * 6)
    strengths = network.strengths(said.readings)
    chosen = torch.tensor([[True, True, True]] * 5 + [[True, False, True]])
    found = set_by_hand(said.activations, strengths, states, chosen)
    torch.testing.assert_close(found[:, 0, 0], strengths[:, 0, 0])
    torch.testing.assert_close(found[:5, 1, 1], strengths[:5, 1, 1])
    torch.testing.assert_close(found[5, 1], said.activations[5, 1])
    assert bool((found[:, 2] == 0).all())
    torch.testing.assert_close(found[:, -1], said.activations[:, -1])


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_label_teaches_strengths_and_only_a_share_of_the_states(network, share):
    """Whatever the share, the activations are the same."""
    readings = said_of(network).readings.detach()
    gradients = {}
    for part in (1.0, share):
        leaf = readings.clone().requires_grad_()
        activations = network.activate(leaf, part)
        torch.testing.assert_close(activations, network.activate(readings))
        (gradients[part],) = torch.autograd.grad(activations.sum(), leaf)
    states, k = SPACE.num_states, SPACE.num_concepts
    assert float(gradients[1.0][:, :k, :states].abs().max()) > 0
    torch.testing.assert_close(gradients[share][:, :k, :states], share * gradients[1.0][:, :k, :states])
    torch.testing.assert_close(gradients[share][:, :k, states:], gradients[1.0][:, :k, states:])
    torch.testing.assert_close(gradients[share][:, k:], gradients[1.0][:, k:])


def test_of_half_of_the_texts_every_concept_is_set_and_of_the_others_every_second_one():
    chosen = which_to_set(torch.zeros(4000, 3)).sum(1)
    shares = torch.bincount(chosen, minlength=4) / 4000
    torch.testing.assert_close(shares, torch.tensor([1, 3, 3, 9]) / 16, atol=0.03, rtol=0)


def test_what_is_weighed_by_zero_has_no_part(network, monkeypatch):
    monkeypatch.setattr(pathway, "which_to_set", lambda states: states == states)
    said = said_of(network)
    concepts = F.one_hot(torch.zeros(6, 3).long(), 3).float()
    pairs = torch.tensor([[0, 1, 0]])
    tokens, labels = torch.zeros(6, 1), torch.zeros(6).long()
    batch = LabelledBatch(tokens, torch.ones(6, 1), concepts, labels, concepts, pairs)
    free = {"head": "honest", "kind": "cbm", "rest_penalty": 0.0}
    plain = quick_settings("any", locality=0.0, interventions=0.0, **free)
    task, locality = pathway_losses(network, said, batch, plain)
    assert locality.item() == 0.0
    assert task.item() == pytest.approx(task_loss(network, said.activations, batch.labels, "on_top").item())
    whole = quick_settings("any", locality=2.0, interventions=1.0, **free)
    more, weighed = pathway_losses(network, said, batch, whole)
    contributions = network.contributions(said.activations)[:, :-1]
    assert weighed.item() == pytest.approx(2 * locality_loss(contributions, pairs).item())
    voted = torch.zeros(6, 3).long()  # the only state that was voted for
    by_hand = set_by_hand(said.activations, network.strengths(said.readings), voted, voted == 0)
    added = task_loss(network, by_hand, batch.labels, "on_top").item()
    assert more.item() == pytest.approx(task.item() + added)


@pytest.mark.parametrize("method", ["gradual", "partition"])
def test_a_run_from_reviews_to_a_correction(backbone, tmp_path, method):
    """Four subnetworks for three concepts; stopped and resumed it is the same model, and can be corrected."""
    pruning = {"method": method, "sparsity": 0.75}
    values = {"dense_epochs": 1, "sparse_epochs": 1, "swap_loss": 0.1, "distillation": 0.5}
    settings = quick_settings(backbone, pruning, head="honest", **values)
    train, dev = toy_reviews(40), toy_reviews(12, "dev")
    whole = Trainer(settings, train, dev, tmp_path / "whole", device="cpu").run()
    assert whole.cbm.parts == (*SPACE.concepts, "rest") == whole.masks.concepts
    if method == "partition":
        assert max(whole.masks.jaccard().values()) == 0.0

    class Stop(Exception):
        pass

    def stop(done, total, _):
        if done > 0.7 * total:
            raise Stop

    stopped = Trainer(
        settings, train, dev, tmp_path / "again", device="cpu", save_seconds=0, on_progress=stop
    )
    with pytest.raises(Stop):
        stopped.run()
    again = Trainer(settings, train, dev, tmp_path / "again", device="cpu").run(resume=True)
    assert again.fingerprint == whole.fingerprint
    loaded = ConceptModel.from_pretrained(tmp_path / "whole" / "model", device="cpu")
    assert loaded.metrics["dev"]["pathway"]["unmentioned_share"] == 0.0
    text = dev.examples[0].text
    said = loaded.predict([text]).states[0, 0].item()
    other = SPACE.states[(said + 1) % 3]
    done = intervene(loaded, text, "food", other, rule="signed")
    assert done.corrected.masks.sparsity() == loaded.masks.sparsity()
    assert done.edit.concepts in (("food",), ())


def test_a_run_learns_more_than_chance(backbone, tmp_path):
    settings = quick_settings(backbone, head="honest", kind="cbm", dense_epochs=12, encoder_lr=3e-3)
    model = Trainer(settings, toy_reviews(160), toy_reviews(60, "dev"), tmp_path, device="cpu").run()
    assert model.metrics["dev"]["concept_accuracy"] > 0.6
    assert math.isfinite(model.metrics["dev"]["ece"])

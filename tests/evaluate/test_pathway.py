"""What carries the label, on toys whose answers are known."""

from __future__ import annotations

import math

import pytest
import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.data.types import Example
from sparsecbm_core.evaluate.pathway import contributions_of, measure_pathway
from tests.tiny import make_tiny
from tests.toy import dataset

SPACE = ConceptSpace(("food", "service"), ("Negative", "Positive", "unknown"), ("0", "1"))
BIG = 1e4


@pytest.fixture(scope="module")
def model():
    """One score, log-odds of label 1: +2 for a Positive concept, −2 for a Negative one, times its strength;
    the rest adds what it reads for label 1 less what it reads for label 0. Nothing said is one half."""
    found = make_tiny("bert", space=SPACE, head="honest")
    network = found.cbm
    with torch.no_grad():
        network.classifier_weight.copy_(before_softplus(2.0).expand(2, 2))
        network.classifier_rest.copy_(before_softplus(1.0))
        network.classifier_steps.copy_(before_softplus(1.0).expand(1))
        network.classifier_bias.zero_()
    return found


def before_softplus(value):
    return torch.tensor(value).expm1().log()


def sigma(score):
    return 1 / (1 + math.exp(-score))


def read(model, states, strengths=None, rest=None):
    """Predictions that are certain of ``states`` (N, 2); strengths 1 unless told, the rest silent, or adding
    ``rest`` (N,), below 2, to the log-odds."""
    states = torch.tensor(states)
    count = len(states)
    readings = torch.zeros(count, 3, 5)
    readings[:, :2, :3] = (2 * torch.nn.functional.one_hot(states, 3).float() - 1) * BIG
    readings[:, :2, 3:] = BIG if strengths is None else ((torch.tensor(strengths) - 0.25) / 0.75).logit()
    if rest is not None:
        readings[:, 2, 1] = (torch.tensor(rest) / 2).atanh()
        readings[:, 2, 0] = -readings[:, 2, 1]
    return model.predictions(readings)


def made(number, concepts, label, **values):
    return Example(str(number), f"text {number}", label, concepts, **values)


def edit(number, concepts, label, concept=None):
    return made(number, concepts, label, group="g", edit_concept=concept)


def data_of(*examples):
    return dataset(list(examples), space=SPACE)


def test_contributions_are_shapley_values_of_the_chance(model):
    """Food Positive alone: σ(2) − ½."""
    shares = contributions_of(model, read(model, [[1, 2]]).activations)[0]
    assert shares.tolist() == pytest.approx([sigma(2) - 0.5, 0.0, 0.0])


def test_what_is_not_mentioned_carries_nothing_and_signs_agree(model):
    data = data_of(made(0, (1, 2), 1), made(1, (0, 1), 0))
    found = measure_pathway(model, data, read(model, [[1, 2], [0, 1]], rest=[0.5, 0.0]))
    assert found.unmentioned_share == 0.0
    assert found.sign_agreement == 1.0
    assert 0.0 < found.rest_share < 0.5
    assert found.locality is found.edits is found.icace is None


def test_an_edit_that_stays_with_its_concept(model):
    """Food goes from Positive to not mentioned and nothing else moves; then service falls silent with it."""
    data = data_of(edit(0, (1, 1), 1), edit(1, (2, 1), 1, "food"))
    local = measure_pathway(model, data, read(model, [[1, 1], [2, 1]]))
    assert local.edits.count == 1
    assert local.edits.chance == 0.5
    # Shapley values of two parts that help each other: service counts more where food is silent.
    own = 0.5 * (sigma(4) - sigma(2) + sigma(2) - 0.5)
    assert local.own_effect == pytest.approx(own)
    assert local.edits.others == pytest.approx(sigma(2) - 0.5 - own)
    both = measure_pathway(model, data, read(model, [[1, 1], [2, 2]]))
    assert both.locality == pytest.approx(0.5)


def test_labels_with_concepts_set_right(model):
    """Both reviews are of label 1. The first is read as Negative and is Positive: set right, its label is.
    The second is read right and carried by the rest, against its concept."""
    data = data_of(made(0, (1, 2), 1), made(1, (0, 2), 1))
    said = read(model, [[0, 2], [0, 2]], strengths=[[[0.9, 0.9]] * 2, [[0.3, 0.3]] * 2], rest=[0.0, 0.7])
    found = measure_pathway(model, data, said).label_accuracy
    assert found == {
        "as_read": 0.5,
        "wrong_set_right": 1.0,
        "all_gold": 1.0,
        "concepts_only": 0.0,
        "wrong_as_read": 0.0,
        "wrong_set_right_there": 1.0,
    }


def test_a_corrected_concept_moves_the_answer_along(model):
    data = data_of(made(0, (1, 2), 1), made(1, (2, 1), 1))
    strengths = [[[0.9, 0.9]] * 2, [[0.26, 0.26]] * 2]
    said = read(model, [[0, 2], [2, 2]], strengths, rest=[0.0, 1.9])
    found = measure_pathway(model, data, said).corrected
    assert (found.count, found.along, found.against) == (2, 1.0, 0.0)
    assert found.clearly == 0.5  # the second goes from σ(1.9) to σ(2.42), by 0.048


def test_labels_without_an_order_have_no_pathway_figures():
    free = ConceptSpace(("food", "service"), SPACE.states, ("pub", "cafe", "bar"))
    model = make_tiny("bert", space=free, head="honest")
    data = dataset([made(0, (1, 2), 1)], space=free)
    assert measure_pathway(model, data) is None


def test_of_the_papers_head_the_measure_is_against_the_average(tiny_model):
    """A text whose activations are the average ones has no contributions at all."""
    mean = tiny_model.cbm.reference.expand(2, -1, -1)
    assert float(contributions_of(tiny_model, mean).abs().max()) == 0.0

"""ICaCE-Error on pairs, distances and estimates worked out by hand."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.causal import causal_effects, counterfactual_pairs, distances
from sparsecbm_core.models.concept_model import Predictions
from tests.tiny import make_tiny
from tests.toy import dataset, make_example, toy_reviews


def edit(number, concepts, concept=None, group="a"):
    goal = None if concept is None else "Positive"
    return make_example(number, concepts, 0, group=group, edit_concept=concept, edit_goal=goal)


REVIEWS = dataset(
    [
        edit(0, (0, 2, 2)),
        edit(1, (1, 2, 2), "food"),
        edit(2, (2, 2, 2), "food"),
        edit(3, (0, 1, 2), "service"),
        edit(4, (0, 2, 2), "noise"),  # an edit that annotators did not see
        edit(5, (1, 1, 1), "food", group="b"),  # of another review, without its original
        edit(6, (2, 2, 2), group=None),
    ]
)


def test_pairs_by_hand():
    """An original and its edits, and two edits of the same concept."""
    assert {astuple(pair) for pair in counterfactual_pairs(REVIEWS)} == {
        *((0, 1, 0, 0, 1), (1, 0, 0, 1, 0), (0, 2, 0, 0, 2), (2, 0, 0, 2, 0)),
        *((0, 3, 1, 2, 1), (3, 0, 1, 1, 2)),
        *((1, 2, 0, 1, 2), (2, 1, 0, 2, 1)),
    }


def test_distances_by_hand():
    true = np.array([[0.3, -0.3], [0.4, 0.0], [0.2, 0.0], [0.0, 0.0]])
    guess = np.array([[0.3, -0.3], [0.0, 0.3], [-0.1, 0.0], [0.5, 0.0]])
    assert distances(true, guess) == pytest.approx(
        np.array([[0, 0, 0], [0.5, 1, 0.1], [0.3, 2, 0.1], [0.5, 1, 0.5]]), abs=1e-12
    )


def test_distances_are_scipys():
    rng = np.random.default_rng(0)
    true, guess = rng.normal(size=(2, 20, 5))
    for row, a, b in zip(distances(true, guess), true, guess, strict=True):
        assert row == pytest.approx(
            [np.linalg.norm(a - b), cosine(a, b), abs(np.linalg.norm(a) - np.linalg.norm(b))]
        )


@pytest.fixture(scope="module")
def reader():
    """Label logits are the states of food: its three activations, and 0."""
    model = make_tiny("bert")
    with torch.no_grad():
        model.cbm.classifier.zero_()
        model.cbm.classifier_bias.zero_()
        for state in range(3):
            model.cbm.classifier[state, 0, state] = 1.0
    return model


def said(*states):
    """A model that is certain: activations are the one-hot states."""
    hot = torch.nn.functional.one_hot(torch.tensor(states), 3).float()
    return Predictions(hot, hot, torch.zeros(len(states), 4), hot)


PAIR = dataset([edit(0, (0, 2, 2)), edit(1, (1, 2, 2), "food")])
STEP = (np.e - 1) / (np.e + 3)  # what one logit of 1 among three of 0 gains over them


def test_a_bottleneck_that_says_it_all_has_no_error(reader):
    """Editing food from 0 to 1 moves the label just as setting it does: error 0; no change at all is off
    by the effect itself, √2 · STEP."""
    found = causal_effects(reader, PAIR, predictions=said((0, 2, 2), (1, 2, 2)))
    assert found.pairs == 2
    oracle, zero = found.estimators["one_hot"], found.estimators["zero"]
    assert (oracle.l2.value, oracle.norm_difference) == (pytest.approx(0), pytest.approx(0))
    assert oracle.cosine == pytest.approx(0)
    assert zero.l2.value == zero.norm_difference == pytest.approx(np.sqrt(2) * STEP)
    assert zero.cosine == 1.0


def test_what_the_text_does_beside_the_concept_is_error(reader):
    """The model sees nothing of the edit: the true effect is 0 and setting the concept is off by its own,
    √2 · STEP from Negative to Positive and nothing back: it is Negative already."""
    found = causal_effects(reader, PAIR, predictions=said((0, 2, 2), (0, 2, 2)))
    assert found.estimators["zero"].l2.value == 0
    assert found.estimators["one_hot"].l2.value == pytest.approx(STEP / np.sqrt(2))


def test_typical_values_come_from_the_reference(reader):
    """Reference reviews whose Positive food has activation 0 everywhere: setting it leaves equal logits."""
    reference = dataset([make_example(0, (1, 2, 2), 0)])
    zeros = torch.zeros(1, 3, 3)
    nothing = Predictions(zeros, zeros, torch.zeros(1, 4), zeros)
    found = causal_effects(
        reader, PAIR, reference, predictions=said((0, 2, 2), (1, 2, 2)), reference_predictions=nothing
    )
    # True effect: STEP from label 0 to label 1. Estimated: label 0 falls to ¼, label 1 rises to ¼.
    full, rest = np.e / (np.e + 3), 1 / (np.e + 3)
    gap = [0.25 - rest, 0.25 - full, 0.25 - rest, 0.25 - rest]
    # The other way round: no reference review is Negative, and setting food so has no error.
    assert found.estimators["typical"].l2.value == pytest.approx(np.linalg.norm(gap) / 2)
    assert list(found.estimators) == ["one_hot", "typical", "own_path", "zero", "random_state"]


def test_the_own_path_is_what_passes_through_the_edited_concept(reader):
    """The label follows food alone: an edit of food passes through it wholly, and one of service not at all,
    where the model's food changes with it."""
    predictions = said((0, 2, 2), (1, 2, 2))
    food = causal_effects(reader, PAIR, predictions=predictions)
    assert food.estimators["own_path"].l2.value == pytest.approx(0)
    other = dataset([edit(0, (0, 2, 2)), edit(1, (0, 1, 2), "service")])
    service = causal_effects(reader, other, predictions=said((0, 2, 2), (1, 1, 2)))
    assert service.estimators["own_path"] == service.estimators["zero"]
    assert service.estimators["zero"].l2.value == pytest.approx(np.sqrt(2) * STEP)


def test_a_random_state_is_seeded_and_worse_than_the_right_one(reader):
    examples = [edit(2 * n + m, (m, 2, 2), "food" if m else None, f"g{n}") for n in range(60) for m in (0, 1)]
    data, predictions = dataset(examples), said(*[(m, 2, 2) for _ in range(60) for m in (0, 1)])
    first, again, other = (causal_effects(reader, data, seed=s, predictions=predictions) for s in (0, 0, 1))
    assert first == again
    assert first.estimators["random_state"] != other.estimators["random_state"]
    # One state in three is the right one, and has no error.
    interval = first.estimators["random_state"].l2
    assert interval.value == pytest.approx(2 / 3 * np.sqrt(2) * STEP, rel=0.15)
    assert interval.low < interval.value < interval.high


def test_effects_are_those_of_the_model(tiny_model):
    found = causal_effects(tiny_model, REVIEWS)
    p = tiny_model.predict(REVIEWS.texts).label_logits.double().softmax(-1).numpy()
    pairs = counterfactual_pairs(REVIEWS)
    sizes = [np.linalg.norm(p[pair.counterfactual] - p[pair.base]) for pair in pairs]
    assert found.estimators["zero"].l2.value == pytest.approx(np.mean(sizes), abs=1e-6)
    assert found.pairs == 8


def test_data_without_pairs_is_refused(tiny_model):
    with pytest.raises(InputError, match="no counterfactual pairs"):
        causal_effects(tiny_model, toy_reviews(5))

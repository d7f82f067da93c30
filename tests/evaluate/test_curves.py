"""Label accuracy against corrected concepts, on a head whose answers can be read off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.evaluate.curves import correction_curves
from sparsecbm_core.explain import explain
from sparsecbm_core.intervene.oracle import oracle
from sparsecbm_core.models.concept_model import Predictions
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from tests.tiny import SPACE, make_tiny
from tests.toy import dataset, make_example, toy_reviews


@pytest.fixture(scope="module")
def counting():
    """A head that gives one star, and one more for each concept whose state is Positive."""
    model = make_tiny("bert")
    with torch.no_grad():
        for y in range(4):
            # Σ_k a_k[Positive] = n has its highest logit at y = n: y·n − y²/2.
            model.cbm.classifier[y] = 0.0
            model.cbm.classifier[y, :, 1] = float(y)
            model.cbm.classifier_bias[y] = -(y**2) / 2
    return model


def predicted(states, sure=None):
    """Predictions of these states (N, K), with certainties (N, K) that rank the concepts."""
    states = torch.tensor(states)
    sure = torch.full(states.shape, 4.0) if sure is None else torch.tensor(sure)
    logits = torch.nn.functional.one_hot(states, 3) * sure[..., None]
    hot = torch.nn.functional.one_hot(states, 3).float()
    return Predictions(logits, hot, torch.zeros(len(states), 4), logits)


def curve(result, order, values="one_hot", replaced="all"):
    wanted = (order, values, replaced)
    return next(item for item in result.curves if (item.order, item.values, item.replaced) == wanted)


def test_least_confident_first_by_hand(counting):
    """Gold: all Positive, 4 stars. The first review is wrong about its least sure concept alone and is
    right after one correction; the second about its surest one, and needs three."""
    data = dataset([make_example(n, (1, 1, 1), 3) for n in range(2)])
    said = predicted([[0, 1, 1], [1, 1, 0]], [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    found = curve(correction_curves(counting, data, predictions=said), "least_confident")
    assert found.accuracy == (0.0, 0.5, 0.5, 1.0)
    assert found.std == (0.0, 0.0, 0.0, 0.0)
    assert found.concept_accuracy == pytest.approx((4 / 6, 5 / 6, 5 / 6, 1.0))
    assert found.draws == 1


def test_random_order_by_hand(counting):
    """One wrong concept of three: n random corrections have hit it with probability n/3."""
    data = dataset([make_example(n, (1, 1, 1), 3) for n in range(600)])
    said = predicted([[0, 1, 1]] * 600)
    found = curve(correction_curves(counting, data, predictions=said, draws=5, seed=1), "random")
    assert found.accuracy == pytest.approx((0, 1 / 3, 2 / 3, 1), abs=0.03)
    assert found.concept_accuracy == pytest.approx((2 / 3, 7 / 9, 8 / 9, 1), abs=0.02)
    assert found.std[0] == found.std[3] == 0 < found.std[1] < 0.05
    assert found.draws == 5


def test_typical_values_are_those_of_the_reference(counting):
    """Where a Positive concept typically has an activation of only ½, three of them give 1½ stars more."""
    data = dataset([make_example(0, (1, 1, 1), 3)])
    said = predicted([[0, 0, 0]])
    zeros = torch.zeros(1, 3, 3)
    half = Predictions(zeros, torch.full((1, 3, 3), 0.6), torch.zeros(1, 4), zeros)
    found = correction_curves(counting, data, data, predictions=said, reference_predictions=half)
    assert curve(found, "least_confident").accuracy[-1] == 1.0
    assert curve(found, "least_confident", "typical").accuracy[-1] == 0.0
    assert len(found.curves) == 8
    assert found.reference["fingerprint"] == data.fingerprint()


def test_what_is_right_keeps_its_activations_where_only_wrong_concepts_are_set(counting):
    """Two right concepts say Positive with 0.6 each and the third says nothing: 1.2 makes two stars. Setting
    all three makes four, setting the wrong one alone 1 + 1.2, three stars."""
    data = dataset([make_example(0, (1, 1, 1), 2)])
    shades = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.6, 0.0], [0.0, 0.6, 0.0]]])
    said = Predictions(shades, shades, torch.zeros(1, 4), shades)
    found = correction_curves(counting, data, predictions=said)
    assert curve(found, "random").accuracy[-1] == 0.0
    assert curve(found, "random", replaced="wrong").accuracy[-1] == 1.0
    assert curve(found, "random", replaced="wrong").accuracy[0] == 0.0


def test_the_ends_are_the_model_and_the_oracle(tiny_model):
    data = toy_reviews(12, "dev")
    result = correction_curves(tiny_model, data, toy_reviews(20), draws=2)
    gold = np.array([example.label for example in data])
    start = (tiny_model.predict(data.texts).labels.numpy() == gold).mean()
    assert all(item.accuracy[0] == pytest.approx(start) for item in result.curves)
    answers = []
    for example in data:
        states = {name: SPACE.states[s] for name, s in zip(SPACE.concepts, example.concepts, strict=True)}
        label = oracle(tiny_model, explain(tiny_model, example.text, None), states).label_after
        answers.append(SPACE.label_index(label) == example.label)
    for order in ("random", "least_confident"):
        assert curve(result, order).accuracy[-1] == pytest.approx(np.mean(answers))
    assert result == correction_curves(tiny_model, data, toy_reviews(20), draws=2)


def test_bad_input_is_refused(tiny_model):
    data = toy_reviews(3)
    with pytest.raises(SettingsError, match="draws must be"):
        correction_curves(tiny_model, data, draws=0)
    standard = replace(tiny_model, network=StandardClassifier(tiny_model.network.encoder, SPACE), masks=None)
    with pytest.raises(InputError, match="no concepts to correct"):
        correction_curves(standard, data)

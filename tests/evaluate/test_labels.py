"""Labels alone: right, near, sure, and on which side they err."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.labels import evaluate_labels
from sparsecbm_core.models.concept_model import ConceptModel, Predictions
from tests.tiny import make_tiny


@pytest.fixture
def in_stars(monkeypatch):
    """A model of five stars that is 80 % sure of 1, 2 and 5 stars, and of the star beside it otherwise."""
    model = make_tiny("bert", density=None)
    model.network.space = CEBAB
    shares = torch.tensor([[0.8, 0.2, 0, 0, 0], [0, 0.8, 0.2, 0, 0], [0, 0, 0, 0.2, 0.8]])
    said = Predictions(None, None, shares.clamp(min=1e-12).log())
    monkeypatch.setattr(ConceptModel, "predict", lambda self, texts, **_: said)
    return model


def test_by_hand(in_stars):
    """Of 1, 2 and 5 stars the texts were 1, 4 and 4."""
    found = evaluate_labels(in_stars, ["a", "b", "c"], [0, 3, 3], "three")
    assert (found.data, found.examples, found.model) == ("three", 3, in_stars.fingerprint)
    assert found.task_accuracy == pytest.approx(1 / 3)
    assert found.task_macro_f1 == pytest.approx(1 / 4)  # of four labels seen, one is found whole
    assert found.within_one == pytest.approx(2 / 3)
    assert found.error == pytest.approx(np.mean([0.2, 1.8, 0.8]))
    assert found.bias == pytest.approx(np.mean([0.2, -1.8, 0.8]))
    assert found.ece == pytest.approx(0.8 - 1 / 3)
    assert found.unfamiliar is None


def test_labels_without_an_order_have_no_distance(in_stars):
    in_stars.network.space = replace(CEBAB, ordered=False)
    found = evaluate_labels(in_stars, ["a", "b", "c"], [0, 3, 3])
    assert (found.within_one, found.error, found.bias) == (None, None, None)
    assert found.task_accuracy == pytest.approx(1 / 3)


def test_one_label_a_text_is_needed(in_stars):
    for texts, labels in (([], []), (["a"], [])):
        with pytest.raises(InputError, match="one label a text"):
            evaluate_labels(in_stars, texts, labels)

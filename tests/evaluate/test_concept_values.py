"""The two ways to fill in a concept."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.concept_values import (
    label_logits,
    one_hot_values,
    typical_values,
    value_tables,
)
from tests.toy import toy_reviews


def test_one_hot_is_what_the_oracle_sets():
    assert one_hot_values(2, 3)[1].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_typical_values_by_hand():
    """State 0 twice: the mean of both; state 1 once: itself; state 2 never: one-hot."""
    activations = torch.tensor([[[0.8, 0.2, 0.1]], [[0.6, 0.4, 0.3]], [[0.1, 0.9, 0.2]]])
    values = typical_values(activations, torch.tensor([[0], [0], [1]]))
    assert values[0].flatten().tolist() == pytest.approx([0.7, 0.3, 0.2, 0.1, 0.9, 0.2, 0, 0, 1])


def test_tables_of_a_model(tiny_model):
    reference = toy_reviews(30)
    assert list(value_tables(tiny_model, None)) == ["one_hot"]
    tables = value_tables(tiny_model, reference)
    activations = tiny_model.predict(reference.texts).activations
    cold = [example.concepts[0] == 0 for example in reference]
    assert tables["typical"][0, 0].tolist() == pytest.approx(activations[cold, 0].mean(0).tolist())
    with pytest.raises(InputError, match="at least one review"):
        typical_values(activations[:0], torch.zeros(0, 3))


def test_label_logits_are_the_models(tiny_model):
    predictions = tiny_model.predict(toy_reviews(5).texts)
    found = label_logits(tiny_model, predictions.activations)
    torch.testing.assert_close(found.float(), predictions.label_logits, atol=1e-5, rtol=1e-5)

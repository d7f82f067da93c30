"""The two ways to fill in a concept."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.concept_values import (
    hand_values,
    label_logits,
    labels_with,
    typical_values,
    value_tables,
)
from tests.toy import toy_reviews


def test_the_papers_head_sets_ones_and_zeros(tiny_model):
    values = hand_values(tiny_model, torch.randn(2, 3, 3))
    assert values[1, 2].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_the_honest_head_sets_what_the_text_gives(honest_model):
    readings = honest_model.predict(["The soup was cold."]).readings
    values = hand_values(honest_model, readings)[0]
    strength = 0.25 + 0.75 * readings[0, 1, 3:5].sigmoid()  # of Negative and Positive
    assert values[1].diagonal().tolist() == pytest.approx([*strength.tolist(), 0.0])
    assert values[1].sum() == pytest.approx(float(strength.sum()))


@pytest.mark.parametrize("fixture", ["tiny_model", "honest_model"])
def test_labels_with_concepts_set_are_those_of_the_values(fixture, request):
    """By readings in which the concept is certain, and by activations put in: the same labels."""
    model = request.getfixturevalue(fixture)
    said = model.predict(toy_reviews(6).texts)
    states = torch.arange(18).view(6, 3) % 3
    chosen = torch.arange(18).view(6, 3) % 2 == 0
    activations, values = said.activations.double(), hand_values(model, said.readings)
    by_hand = values[torch.arange(6)[:, None], torch.arange(3), states]
    activations[:, :3][chosen] = by_hand[chosen]
    expected = label_logits(model, activations).argmax(-1)
    assert torch.equal(labels_with(model, said.readings, states, chosen), expected)


def test_typical_values_by_hand():
    """State 0 twice: the mean of both; state 1 once: itself; state 2 never: as it is otherwise set."""
    activations = torch.tensor([[[0.8, 0.2, 0.1]], [[0.6, 0.4, 0.3]], [[0.1, 0.9, 0.2]]])
    values = typical_values(activations, torch.tensor([[0], [0], [1]]), torch.eye(3)[None])
    assert values[0].flatten().tolist() == pytest.approx([0.7, 0.3, 0.2, 0.1, 0.9, 0.2, 0, 0, 1])


def test_tables_of_a_model(tiny_model):
    reference = toy_reviews(30)
    said = tiny_model.predict(reference.texts)
    activations, readings = said.activations, said.readings
    assert list(value_tables(tiny_model, readings, None)) == ["one_hot"]
    tables = value_tables(tiny_model, readings[:2], reference)
    cold = [example.concepts[0] == 0 for example in reference]
    assert tables["typical"][1, 0, 0].tolist() == pytest.approx(activations[cold, 0].mean(0).tolist())
    with pytest.raises(InputError, match="at least one review"):
        typical_values(activations[:0], torch.zeros(0, 3), torch.eye(3).expand(3, 3, 3))


def test_label_logits_are_the_models(tiny_model):
    predictions = tiny_model.predict(toy_reviews(5).texts)
    found = label_logits(tiny_model, predictions.activations)
    torch.testing.assert_close(found.float(), predictions.label_logits, atol=1e-5, rtol=1e-5)

"""Contributions of concepts are exact shares of the label's logit."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from sparsecbm_core.explain import explain
from sparsecbm_core.explain.concepts import label_parts
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import ARCHITECTURES, REVIEW, make_tiny


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_shares_add_up_to_the_logits(tiny_models: dict[str, ConceptModel], arch: str) -> None:
    model = tiny_models[arch]
    result = explain(model, REVIEW, None)
    predicted = model.predict([REVIEW]).label_logits[0].tolist()
    for label, logit in zip(model.space.labels, predicted, strict=True):
        shares = sum(item.contributions[label] for item in result.concepts.values())
        relative = sum(item.relative_contributions[label] for item in result.concepts.values())
        assert shares + result.bias[label] == pytest.approx(result.logits[label], abs=1e-12)
        assert relative + result.base[label] == pytest.approx(result.logits[label], abs=1e-12)
        assert result.logits[label] == pytest.approx(logit, abs=1e-5)


def test_contrast_adds_up_to_the_difference_of_the_logits(tiny_model: ConceptModel) -> None:
    result = explain(tiny_model, REVIEW, None)
    for label, other in permutations(tiny_model.space.labels, 2):
        difference = result.logits[label] - result.logits[other]
        assert sum(result.contrast(label, other).values()) == pytest.approx(difference, abs=1e-12)


def test_hand_computed_shares() -> None:
    network = make_tiny("bert").cbm
    network.classifier.zero_()
    network.classifier[1, 0] = torch.tensor([1.0, 2.0, 3.0])
    network.classifier_bias.copy_(torch.tensor([0.0, 10.0, 0.0, 0.0]))
    network.get_buffer("mean_activations").fill_(0.5)
    activations = torch.zeros(3, 3)
    activations[0] = torch.tensor([1.0, 0.5, 0.0])

    parts = label_parts(network, activations)

    assert parts.contributions[:, 1].tolist() == [2.0, 0.0, 0.0]
    assert parts.relative[:, 1].tolist() == [1.0 * 0.5 + 2.0 * 0 - 3.0 * 0.5, 0.0, 0.0]
    assert parts.base.tolist() == [0.0, 13.0, 0.0, 0.0]
    assert parts.logits.tolist() == [0.0, 12.0, 0.0, 0.0]


def test_a_concept_as_in_the_average_text_adds_nothing(tiny_model: ConceptModel) -> None:
    network = tiny_model.cbm
    parts = label_parts(network, network.get_buffer("mean_activations"))
    assert parts.relative.abs().max() == 0.0
    torch.testing.assert_close(parts.base, parts.logits)


def test_states_and_probabilities_are_the_models_own(tiny_model: ConceptModel) -> None:
    result, predicted = explain(tiny_model, REVIEW, None), tiny_model.predict([REVIEW])
    space = tiny_model.space
    assert predicted.activations is not None
    assert result.label == space.labels[int(predicted.labels[0])]
    assert sum(result.probabilities.values()) == pytest.approx(1.0)
    for k, (concept, item) in enumerate(result.concepts.items()):
        assert concept == item.concept == space.concepts[k]
        assert item.state == space.states[int(predicted.states[0, k])]
        assert item.state == max(item.probabilities, key=item.probabilities.__getitem__)
        assert list(item.activations.values()) == pytest.approx(
            predicted.activations[0, k].tolist(), abs=1e-6
        )
        assert item.tokens == ()
        assert item.convergence_delta is None

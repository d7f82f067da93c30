"""The oracle against sums worked out by hand, and as a property of any model."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.explain import explain
from sparsecbm_core.intervene.oracle import oracle
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.sparse_cbm import SparseCBM
from tests.tiny import REVIEW, make_tiny


@pytest.fixture(scope="module")
def model() -> ConceptModel:
    model = make_tiny("bert")
    network = model.cbm
    # φ[y, k, c] = y · (k + 1) · 10^(−c) and b = (0, 1, 2, 3): every logit can be read off.
    with torch.no_grad():
        for y in range(4):
            network.classifier_bias[y] = float(y)
            for k in range(3):
                for c in range(3):
                    network.classifier[y, k, c] = y * (k + 1) * 10.0**-c
        network.mean_activations.fill_(0.5)
    return model


def test_all_concepts_set_gives_the_sum_worked_out_by_hand(model: ConceptModel) -> None:
    result = oracle(
        model,
        explain(model, REVIEW, None),
        {"food": "Negative", "service": "Positive", "noise": "unknown"},
    )
    # y · (1·1 + 2·0.1 + 3·0.01) + y
    assert result.logits_after == pytest.approx({"1": 0.0, "2": 2.23, "3": 4.46, "4": 6.69})
    assert result.label_after == "4"
    total = sum(math.exp(value) for value in (0.0, 2.23, 4.46, 6.69))
    assert result.probabilities_after["4"] == pytest.approx(math.exp(6.69) / total)
    # food, label "2": (1 − 0.5)·1 + (0 − 0.5)·0.1 + (0 − 0.5)·0.01
    assert result.relative_contributions["food"]["2"] == pytest.approx(0.445)


def test_nothing_set_changes_nothing(model: ConceptModel) -> None:
    explanation = explain(model, REVIEW, None)
    result = oracle(model, explanation, {})
    assert result.logits_after == pytest.approx(dict(explanation.logits), abs=1e-9)
    assert result.label_after == result.label == explanation.label


@pytest.mark.parametrize("concept", ["food", "service", "noise"])
@pytest.mark.parametrize("state", ["Negative", "Positive", "unknown"])
def test_only_the_concept_set_changes_and_parts_add_up(model: ConceptModel, concept: str, state: str) -> None:
    explanation = explain(model, REVIEW, None)
    result = oracle(model, explanation, {concept: state})
    for label in model.space.labels:
        parts = {name: shares[label] for name, shares in result.relative_contributions.items()}
        assert sum(parts.values()) + explanation.base[label] == pytest.approx(
            result.logits_after[label], abs=1e-6
        )
        for name, item in explanation.concepts.items():
            if name != concept:
                assert parts[name] == pytest.approx(item.relative_contributions[label], abs=1e-6)


def test_the_model_is_only_read_and_errs_again(model: ConceptModel) -> None:
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    explanation = explain(model, REVIEW, None)
    oracle(model, explanation, {"food": "Positive"})
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert explain(model, REVIEW, None) == explanation


@pytest.mark.parametrize(
    ("states", "message"),
    [({"price": "Negative"}, "unknown concept 'price'"), ({"food": "Bad"}, "unknown state 'Bad'")],
)
def test_unknown_names_are_refused(model: ConceptModel, states: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        oracle(model, explain(model, REVIEW, None), states)


def test_the_result_goes_into_json(model: ConceptModel) -> None:
    result = oracle(model, explain(model, REVIEW, None), {"food": "Positive"})
    data = json.loads(json.dumps(result.to_dict()))
    assert data["schema_version"] == 1
    assert data["states"] == {"food": "Positive"}


def test_an_explanation_by_another_model_is_refused(model: ConceptModel) -> None:
    other = explain(make_tiny("bert", seed=1), REVIEW, None)
    with pytest.raises(InputError, match="not by this one"):
        oracle(model, other, {"food": "Positive"})


def test_an_explanation_with_other_states_is_refused(model: ConceptModel) -> None:
    explanation = explain(model, REVIEW, None)
    item = explanation.concepts["food"]
    odd = replace(item, activations={"good": 0.5, "bad": 0.5})
    with pytest.raises(InputError, match="states"):
        oracle(model, replace(explanation, concepts={**explanation.concepts, "food": odd}), {})


def test_the_oracle_adds_up_as_the_explanation_does(
    model: ConceptModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparsecbm_core.explain import concepts

    asked: list[torch.Tensor] = []
    parts = concepts.label_parts

    def watched(network: SparseCBM, activations: torch.Tensor) -> concepts.LabelParts:
        asked.append(activations)
        return parts(network, activations)

    explanation = explain(model, REVIEW, None)
    monkeypatch.setattr(concepts, "label_parts", watched)
    oracle(model, explanation, {"food": "Positive"})
    assert asked[0][0].tolist() == [0.0, 1.0, 0.0]

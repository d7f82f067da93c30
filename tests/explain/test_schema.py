"""Explanations to JSON and back."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from typing import Any

import pytest
from pydantic import BaseModel

from sparsecbm_core.errors import InputError
from sparsecbm_core.explain import METHODS, explain, explanation_json_schema, load_explanation
from sparsecbm_core.explain.results import (
    SCHEMA_VERSION,
    ConceptExplanation,
    Explanation,
    TokenScore,
    Truncation,
)
from sparsecbm_core.explain.schema import (
    ConceptExplanationModel,
    ExplanationModel,
    TokenScoreModel,
    TruncationModel,
)
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import REVIEW


@pytest.fixture
def exported(tiny_model: ConceptModel) -> dict[str, Any]:
    return json.loads(json.dumps(explain(tiny_model, REVIEW, "gradient").to_dict()))


@pytest.mark.parametrize("method", [None, *METHODS])
@pytest.mark.parametrize("sort_keys", [False, True])
def test_round_trip(tiny_model: ConceptModel, method: str | None, sort_keys: bool) -> None:
    result = explain(tiny_model, REVIEW + " café 😀", method)
    text = json.dumps(result.to_dict(), sort_keys=sort_keys)
    assert load_explanation(json.loads(text)) == result
    assert load_explanation(result.to_dict()) == result


@pytest.mark.parametrize(
    ("result", "model"),
    [
        (Explanation, ExplanationModel),
        (ConceptExplanation, ConceptExplanationModel),
        (TokenScore, TokenScoreModel),
        (Truncation, TruncationModel),
    ],
)
def test_the_schema_has_the_fields_of_the_result(result: Any, model: type[BaseModel]) -> None:
    assert list(model.model_fields) == [item.name for item in fields(result)]


def test_the_json_schema_says_what_is_needed() -> None:
    schema = explanation_json_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["properties"]["schema_version"]["enum"] == [1, SCHEMA_VERSION]
    later = {"expected", "rest", "familiar"}  # files of version 1 have none of these
    assert set(schema["required"]) | later == {item.name for item in fields(Explanation)}
    assert schema["additionalProperties"] is False
    json.dumps(schema)


@pytest.mark.parametrize("version", [None, 0, 3, "1", True])
def test_another_version_is_refused(exported: dict[str, Any], version: object) -> None:
    with pytest.raises(InputError, match=rf"schema_version {version!r}; this version reads 1"):
        load_explanation({**exported, "schema_version": version})


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("label",), "9", "label '9' is not among"),
        (("logits",), {"1": 0.5}, "labels differ"),
        (("logits", "1"), "0.5", r"logits\.1: Input should be a valid number"),
        (("logits", "1"), float("nan"), "not JSON compliant"),
        (("bias",), None, "bias: Input should be"),
        (("probabilities", "1"), 1.5, r"probabilities\.1: .*less than or equal to 1"),
        (("concepts", "food", "state"), "Great", "state 'Great' is not among"),
        (("concepts", "food", "concept"), "noise", "concept 'noise' is filed under 'food'"),
        (("concepts", "food", "tokens", 0, "end"), 2, "is not what the text has"),
        (("concepts", "food", "tokens", 0, "start"), -1, "greater than or equal to 0"),
        (("truncated", "kept"), 1.5, r"truncated\.kept"),
        (("surprise",), 1, "surprise: Extra inputs are not permitted"),
        (("text",), {1, 2}, "not JSON serializable"),
    ],
)
def test_another_shape_is_refused(
    exported: dict[str, Any], path: tuple[Any, ...], value: object, message: str
) -> None:
    data: Any = copy.deepcopy(exported)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InputError, match=message) as caught:
        load_explanation(data)
    assert "\n" not in str(caught.value)


def test_what_is_missing_or_no_object_is_refused(exported: dict[str, Any]) -> None:
    del exported["concepts"]
    with pytest.raises(InputError, match="concepts: Field required"):
        load_explanation(exported)
    listed: Any = [exported]
    with pytest.raises(InputError, match="JSON object, got list"):
        load_explanation(listed)

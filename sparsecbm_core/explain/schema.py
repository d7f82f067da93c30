"""The exported form of an explanation: a JSON schema, and the way back from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from sparsecbm_core.errors import InputError, first_problem
from sparsecbm_core.explain.results import (
    SCHEMA_VERSION,
    ConceptExplanation,
    ExpectedValue,
    Explanation,
    RestExplanation,
    TokenScore,
    Truncation,
)

Name = Annotated[str, StringConstraints(min_length=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Strict(BaseModel):
    """What a file may hold: what is named, of the very type, and nothing besides."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class TokenScoreModel(Strict):
    """A word (or word piece): the characters [start, end) of the text, and its score."""

    text: Name
    start: int = Field(ge=0)
    end: int = Field(ge=1)
    score: float


class ConceptExplanationModel(Strict):
    """One concept: its state, what it adds to each label's logit, and the words behind it."""

    concept: Name
    state: Name = Field(description="the state whose logit the tokens are scored for")
    probabilities: dict[str, Share] = Field(description="state → softmax of the concept's logits")
    activations: dict[str, Share] = Field(
        description="state → what the label is read from: of the paper's head the sigmoid of the logit, of "
        "the honest one the state's lead times its strength"
    )
    contributions: dict[str, float] = Field(description="label → share of its logit; with bias they add up")
    relative_contributions: dict[str, float] = Field(
        description="label → share of its logit against the head's reference, the average text or one that "
        "says nothing; with base they add up"
    )
    tokens: tuple[TokenScoreModel, ...]
    convergence_delta: float | None = Field(
        description="what integrated gradients leave over: sum of scores + delta = "
        "rise of the state's lead from a blank text"
    )
    strengths: dict[str, Share] = Field(
        default_factory=dict, description="state → its activation where the concept is certainly in it"
    )

    @model_validator(mode="after")
    def _consistent(self) -> ConceptExplanationModel:
        _same_keys("states", self.probabilities, self.activations)
        _same_keys("labels", self.contributions, self.relative_contributions)
        _member("state", self.state, self.probabilities)
        return self


class RestExplanationModel(Strict):
    """What of the text no concept carries."""

    activations: tuple[float, ...]
    contributions: dict[str, float]
    relative_contributions: dict[str, float]


class ExpectedValueModel(Strict):
    """The answer on the scale of ordered labels: value = base + the sum of the parts."""

    value: float
    base: float = Field(
        description="with nothing said, or for the average text where a concept always speaks"
    )
    parts: dict[str, float] = Field(description="concept, or rest → its Shapley value")
    unit: str
    exact: bool = Field(description="false where the values were sampled")


class TruncationModel(Strict):
    """Tokens read, tokens of the whole text, and the end of the part read in characters."""

    kept: int = Field(ge=0)
    total: int = Field(ge=0)
    kept_chars: int = Field(ge=0)


class ExplanationModel(Strict):
    """Why this label: one text through words, subnetworks and concepts to the label."""

    model_config = ConfigDict(title="SparseCBM explanation")

    text: Name
    model: str
    fingerprint: str = Field(description="hash of the weights and masks that gave this explanation")
    method: str | None = Field(description="token method, null where tokens were not scored")
    label: Name
    probabilities: dict[str, Share]
    logits: dict[str, float]
    bias: dict[str, float]
    base: dict[str, float]
    concepts: dict[str, ConceptExplanationModel]
    truncated: TruncationModel
    expected: ExpectedValueModel | None = None
    rest: RestExplanationModel | None = None
    familiar: bool | None = Field(
        default=None, description="whether the text is like the training texts, null where that is not known"
    )
    schema_version: Literal[1, 2]

    @model_validator(mode="after")
    def _consistent(self) -> ExplanationModel:
        _same_keys("labels", self.probabilities, self.logits, self.bias, self.base)
        _member("label", self.label, self.logits)
        for name, item in self.concepts.items():
            if name != item.concept:
                raise ValueError(f"concept {item.concept!r} is filed under {name!r}")
            _same_keys("labels", self.logits, item.contributions)
            for token in item.tokens:
                if self.text[token.start : token.end] != token.text:
                    raise ValueError(
                        f"token {token.text!r} is not what the text has at [{token.start}, {token.end})"
                    )
        return self


def explanation_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `Explanation.to_dict()`.

    >>> explanation_json_schema()["title"]
    'SparseCBM explanation'
    """
    schema = ExplanationModel.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def load_explanation(data: Mapping[str, Any]) -> Explanation:
    """The explanation of an exported dictionary; `InputError` naming the first thing that is wrong.

    >>> load_explanation(why.to_dict()) == why
    True
    """
    if not isinstance(data, Mapping):
        raise InputError(f"an explanation is a JSON object, got {type(data).__name__}")
    version = data.get("schema_version")
    if version not in (1, SCHEMA_VERSION) or isinstance(version, bool):
        raise InputError(
            f"explanation has schema_version {version!r}; this version reads 1 and {SCHEMA_VERSION}"
        )
    try:
        # Through JSON, so that only what a file can hold is accepted.
        parsed = ExplanationModel.model_validate_json(json.dumps(dict(data), allow_nan=False))
    except ValidationError as error:
        raise InputError(f"not a valid explanation: {first_problem(error)}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"not a valid explanation: {error}") from error
    values = parsed.model_dump()
    return Explanation(
        **{
            **values,
            "concepts": {name: _concept(item) for name, item in values["concepts"].items()},
            "truncated": Truncation(**values["truncated"]),
            "expected": values["expected"] and ExpectedValue(**values["expected"]),
            "rest": values["rest"] and RestExplanation(**values["rest"]),
            "schema_version": SCHEMA_VERSION,
        }
    )


def _concept(values: Mapping[str, Any]) -> ConceptExplanation:
    tokens = tuple(TokenScore(**token) for token in values["tokens"])
    return ConceptExplanation(**{**values, "tokens": tokens})


def _same_keys(what: str, first: Mapping[str, Any], *others: Mapping[str, Any]) -> None:
    for other in others:
        if first.keys() != other.keys():
            raise ValueError(f"{what} differ: {list(first)} and {list(other)}")


def _member(what: str, name: str, names: Mapping[str, Any]) -> None:
    if name not in names:
        raise ValueError(f"{what} {name!r} is not among {list(names)}")

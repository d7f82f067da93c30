"""Explanations as values: everything that pages, plots and files need, nothing recomputed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sparsecbm_core.concepts import REST

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class TokenScore:
    """A word (or word piece) of the text, [start, end) in characters, with its score."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class ConceptExplanation:
    """One concept of one text.

    ``probabilities`` are the softmax of ℓ_k, ``activations`` a_k, both per state. ``strengths`` are the
    activations that the states would have if the concept were certainly in them.
    ``contributions`` are Σ_c φ_k[y, c]·a_k[c] per label: over all parts, plus the bias, they
    add up to the label's logit. ``relative_contributions`` use a_k − ā_k instead, with the activations of
    the head's reference: with ``base`` they add up to the same logit, and are the exact SHAP values of the
    linear head. ``tokens`` score the logit of ``state`` through the concept's own subnetwork.
    """

    concept: str
    state: str
    probabilities: Mapping[str, float]
    activations: Mapping[str, float]
    contributions: Mapping[str, float]
    relative_contributions: Mapping[str, float]
    tokens: tuple[TokenScore, ...]
    convergence_delta: float | None = None
    strengths: Mapping[str, float] = field(default_factory=dict)

    def strength(self, state: str) -> float:
        """The activation of a state that the concept is set to; 1 in files of earlier versions."""
        return self.strengths.get(state, 1.0)


@dataclass(frozen=True)
class RestExplanation:
    """What of one text no concept carries: its activations, and its contributions as a concept has them."""

    activations: tuple[float, ...]
    contributions: Mapping[str, float]
    relative_contributions: Mapping[str, float]


@dataclass(frozen=True)
class ExpectedValue:
    """The answer as a number on the scale of ordered labels, taken apart.

    ``value`` = ``base`` + Σ ``parts``: the mean label under the model's probabilities, the same with nothing
    said (or for the average text, where a concept is never silent), and the Shapley value of every concept
    and of the rest. ``unit`` is what is counted; ``exact`` is false where the values were sampled.
    """

    value: float
    base: float
    parts: Mapping[str, float]
    unit: str = ""
    exact: bool = True


@dataclass(frozen=True)
class Truncation:
    """Tokens read, and tokens the whole text would have given; ``kept_chars`` ends the part read."""

    kept: int
    total: int
    kept_chars: int

    @property
    def cut(self) -> bool:
        """Whether the end of the text was not read."""
        return self.total > self.kept


@dataclass(frozen=True)
class Explanation:
    """Why this label: one text through token → subnetwork → concept → label.

    ``bias`` and ``base`` (Σ_k φ_k·ā_k + bias) are per label, as are ``logits`` and
    ``probabilities``. ``method`` names the token method, None where tokens were not scored. ``expected`` is
    the answer on the scale of ordered labels, None for others; ``rest`` what no concept carries, None where
    the head has no such part. ``familiar`` says whether the text is like those that the model was trained
    on, None where the model does not know.
    """

    text: str
    model: str
    fingerprint: str
    method: str | None
    label: str
    probabilities: Mapping[str, float]
    logits: Mapping[str, float]
    bias: Mapping[str, float]
    base: Mapping[str, float]
    concepts: Mapping[str, ConceptExplanation]
    truncated: Truncation
    expected: ExpectedValue | None = None
    rest: RestExplanation | None = None
    familiar: bool | None = None
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class; concepts in the model's order."""
        return asdict(self)

    @property
    def parts(self) -> Mapping[str, ConceptExplanation | RestExplanation]:
        """All that contributes to the label: the concepts, and the rest where there is one."""
        return self.concepts if self.rest is None else {**self.concepts, REST: self.rest}

    @property
    def unscored(self) -> tuple[str, ...]:
        """The concepts whose words have no scores (yet)."""
        return tuple(name for name, item in self.concepts.items() if not item.tokens)

    def contrast(self, label: str, other: str) -> dict[str, float]:
        """Why ``label`` and not ``other``: per concept, of the "rest" where there is one, and "base", the
        difference of contributions.

        The values add up to the difference of the two labels' logits.

        >>> sorted(why.contrast("1", "2"))
        ['base', 'food', 'noise', 'service']
        """
        parts = {
            name: item.relative_contributions[label] - item.relative_contributions[other]
            for name, item in self.parts.items()
        }
        return {**parts, "base": self.base[label] - self.base[other]}

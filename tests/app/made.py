"""Explanations made by hand, with numbers that can be checked by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sparsecbm_core.concepts import REST, UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import (
    ConceptExplanation,
    ExpectedValue,
    Explanation,
    RestExplanation,
    TokenScore,
    Truncation,
)

SPACE = ConceptSpace(
    ("food", "service"),
    ("Negative", "Positive", UNKNOWN),
    ("bad", "good"),
    {"food": "Food", "service": "Service", UNKNOWN: "Not mentioned", "good": "Good review"},
)


def made(
    food: float = 1.9,
    service: float = -0.7,
    states: Mapping[str, str] | None = None,
    text: str = "Cold soup.",
    scores: tuple[float, ...] = (),
    probability: float = 0.62,
    kept_chars: int | None = None,
) -> Explanation:
    """The label is "good": base 0.5, two concepts that add ``food`` and ``service``, mirrored for "bad"."""
    chosen = {"food": "Positive", "service": "Negative", **(states or {})}
    words, position = [], 0
    for word, score in zip(text.split(), scores, strict=False):
        start = text.index(word, position)
        position = start + len(word)
        words.append(TokenScore(word, start, position, score))
    concepts = {
        name: ConceptExplanation(
            concept=name,
            state=chosen[name],
            probabilities={state: 0.8 if state == chosen[name] else 0.1 for state in SPACE.states},
            activations={state: 0.9 if state == chosen[name] else 0.2 for state in SPACE.states},
            contributions={"bad": -value - 0.25, "good": value + 0.25},
            relative_contributions={"bad": -value, "good": value},
            tokens=tuple(words),
        )
        for name, value in (("food", food), ("service", service))
    }
    total = 0.5 + food + service
    return Explanation(
        text=text,
        model="made",
        fingerprint="0" * 16,
        method="integrated_gradients" if scores else None,
        label="good",
        probabilities={"bad": 1 - probability, "good": probability},
        logits={"bad": -total, "good": total},
        bias={"bad": 0.0, "good": 0.0},
        base={"bad": -0.5, "good": 0.5},
        concepts=concepts,
        truncated=Truncation(
            5, 5 if kept_chars is None else 9, len(text) if kept_chars is None else kept_chars
        ),
    )


STARS = ConceptSpace(
    SPACE.concepts,
    SPACE.states,
    ("2", "3", "4", "5"),
    {**SPACE.titles, **{str(n): f"{n} stars" for n in (2, 3, 4, 5)}},
    label_unit="stars",
)


def made_in_stars(
    parts: Mapping[str, float],
    states: Mapping[str, str] | None = None,
    shares: Sequence[float] = (0.1, 0.1, 0.6, 0.2),
) -> Explanation:
    """Four stars: three and what the ``parts`` add. With the honest head where "rest" is one of them."""
    zeros = dict.fromkeys(STARS.labels, 0.0)
    chosen = {"food": "Positive", "service": "Negative", **(states or {})}
    concepts = {
        name: replace(item, state=chosen[name], contributions=zeros, relative_contributions=zeros)
        for name, item in made().concepts.items()
    }
    return replace(
        made(),
        label="4",
        probabilities=dict(zip(STARS.labels, shares, strict=True)),
        logits=zeros,
        bias=zeros,
        base=zeros,
        concepts=concepts,
        expected=ExpectedValue(3.0 + sum(parts.values()), 3.0, dict(parts), "stars"),
        rest=RestExplanation((0.0,), zeros, zeros) if REST in parts else None,
    )

"""The few terms of the app, each in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from sparsecbm_core.concepts import NEGATIVE, POSITIVE, REST, UNKNOWN, ConceptSpace
from sparsecbm_core.explain.tokens.method import TokenMethod
from sparsecbm_core.explain.tokens.registry import METHODS

# What a method does, before it is said in the words of the field.
PLAIN: Mapping[str, str] = {
    "integrated_gradients": "Builds the review up from a blank text and credits each word with its share.",
    "gradient": "How much a small change of the word would matter, for or against.",
    "input_x_gradient": (
        "A quick estimate of what each word adds or takes away. Behind a layer norm, which undoes any change "
        "of scale, it says little: trust the other methods first."
    ),
    "occlusion": "Leaves out one word after the other and looks at what changes.",
}


def terms(space: ConceptSpace) -> list[tuple[str, str]]:
    """Term and meaning, in the order in which a reader meets them."""
    positive, negative = space.title(POSITIVE), space.title(NEGATIVE)
    states = f"{', '.join(space.title(state) for state in space.states)}"
    spoken = ""
    if {POSITIVE, NEGATIVE} <= set(space.states):
        spoken = f" {positive} means spoken of well, {negative} spoken of badly."
        if "noise" in space.concepts:
            spoken += f" So {space.title('noise')}, {positive}, is a place that is pleasantly quiet."
    silent = f" {space.title(UNKNOWN)}: the review says nothing about it." if UNKNOWN in space.states else ""
    return [
        (
            "Concept",
            f"Something a review can speak of. The model finds one state for each: {states}.{spoken}{silent}",
        ),
        (
            "Subnetwork",
            "The part of the model's weights that one concept reads with; every concept has its own.",
        ),
        *_scale_terms(space),
        (
            "Score",
            "Points for a label. Every concept adds points or takes some away; the label with the most "
            "points wins, and the further it is ahead the surer the model.",
        ),
        (
            "Average review",
            "What a label gets before any concept stands out; the concepts are counted from there.",
        ),
    ]


def _scale_terms(space: ConceptSpace) -> list[tuple[str, str]]:
    """Of labels that have an order."""
    if space.label_values is None:
        return []
    return [
        (
            f"Expected {space.label_unit or 'value'}",
            "The mean of the labels, each counted as often as it is likely. What a part of the review lifts "
            "it by, or costs, is its fair share of that (its Shapley value): shares add up to the answer.",
        ),
        (
            space.title(REST),
            "What speaks for the label and for no concept: general praise, the price, “we will be back”. "
            "Models of before have no such part.",
        ),
    ]


def terms_html(space: ConceptSpace, first: Sequence[tuple[str, str]] = ()) -> str:
    """All of them; a page's own come ``first``."""
    listed = (*first, *terms(space))
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in listed)
    return f'<dl class="sc-terms">{rows}</dl>'


def method_help() -> str:
    """All methods, one paragraph each, for a help text."""
    return "\n\n".join(f"**{method.title}.** {_about(method)}" for method in METHODS.values())


def _about(method: TokenMethod) -> str:
    plain = PLAIN.get(method.name)
    exact = f"{method.description[:1].upper()}{method.description[1:]}."
    return f"{plain} In the words of the field: {method.description}." if plain else exact

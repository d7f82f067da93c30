"""The sum that makes the answer, in the way a person chose to see it."""

from __future__ import annotations

from collections.abc import Mapping

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import Breakdown, answer_breakdown, breakdown
from sparsecbm_core.figures.contributions import ANSWER_SIDES

ANSWER, RELATIVE, PLAIN = "answer", "relative", "plain"
MANY = 12  # so many concepts are all shown, more are chosen from a list
HELP = (
    "The answer: what every part of the review adds to the expected value of the label. Score: the terms "
    "that the model itself adds up, before they become probabilities; against an average review, or from "
    "zero, where even a concept that is not mentioned counts."
)


def titles(explanation: Explanation, space: ConceptSpace, against: str | None = None) -> Mapping[str, str]:
    """The ways there are for this explanation, and what to call them."""
    found = {}
    if explanation.expected is not None and against is None:
        found[ANSWER] = space.label_unit.capitalize() or "The answer"
    if explanation.rest is not None:  # its reference says nothing, which is zero
        return {**found, RELATIVE: "Score"}
    return {**found, RELATIVE: "Score, against an average review", PLAIN: "Score, from zero"}


def chosen(view: str, ways: Mapping[str, str]) -> str:
    """The chosen way, or the first where there is no such one."""
    return view if view in ways else next(iter(ways))


def shown(
    explanation: Explanation, space: ConceptSpace, view: str = ANSWER, against: str | None = None
) -> Breakdown:
    """The answer on the labels' scale where it has one and that was chosen, otherwise the label's score."""
    way = chosen(view, titles(explanation, space, against))
    scale = answer_breakdown(explanation, space) if way == ANSWER else None
    return scale or breakdown(explanation, space, against=against, relative=way != PLAIN)


def at_first_sight(explanation: Explanation, space: ConceptSpace, selected: str) -> tuple[str, ...]:
    """The concepts that a page shows at once, in their own order: all of a few; of many those that move the
    answer most, and the selected one."""
    if space.num_concepts <= MANY:
        return space.concepts
    parts = shown(explanation, space).parts
    others = [part.name for part in parts if part.name in space.concepts and part.name != selected]
    names = {selected, *others[: MANY - 1]}
    return tuple(name for name in space.concepts if name in names)


def caption(view: Breakdown, target: str) -> str:
    """How to read the picture."""
    start = f"{view.base_title} {view.base_text}, then one step for each part, up to {view.total_text}."
    if view.sides == ANSWER_SIDES:
        return f"{start} A step to the right lifts the answer, a hatched step to the left costs."
    return f"{start} A step to the right speaks for {target}, a hatched step to the left against it."

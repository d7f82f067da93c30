"""The answer as one sentence, from the same numbers as the charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import Part, breakdown, percent, signed

# What adds less than this, or less than a tenth of the strongest, is not worth a word.
LEAST = 0.05
CLOSE = 0.1


@dataclass(frozen=True)
class Piece:
    """A stretch of the sentence; ``kind`` is "label", "sure", "for", "against" or "text"."""

    text: str
    kind: str = "text"


def plain(pieces: Sequence[Piece]) -> str:
    """The sentence without its colours."""
    return "".join(piece.text for piece in pieces)


def answer(explanation: Explanation, space: ConceptSpace) -> list[Piece]:
    """Label, how sure, and which concepts decided it: strongest first, at most two a side."""
    parts = breakdown(explanation, space).parts
    head = [
        Piece(space.title(explanation.label), "label"),
        Piece(f" ({percent(explanation.probabilities[explanation.label])}): ", "sure"),
    ]
    return [*head, *_reasons(explanation, space, parts), Piece(".")]


def _reasons(explanation: Explanation, space: ConceptSpace, parts: Sequence[Part]) -> list[Piece]:
    strongest = max(abs(part.value) for part in parts)
    least = max(LEAST, strongest / 10)
    states = {name: item.state for name, item in explanation.concepts.items()}
    pros = _top([part for part in parts if part.value >= least])
    cons = _top([part for part in parts if part.value <= -least])
    silent = all(state == UNKNOWN for state in states.values())
    lead = [Piece("no concept is mentioned, and ")] if silent else []

    def each(chosen: Sequence[Part], kind: str) -> list[Piece]:
        pieces: list[Piece] = []
        for i, part in enumerate(chosen):
            if i:
                pieces.append(Piece(" and "))
            state = state_title(space, states[part.name])
            pieces.append(Piece(f"{part.title} is {state} ({signed(part.value)})", kind))
        return pieces

    def named(chosen: Sequence[Part], kind: str) -> list[Piece]:
        pieces: list[Piece] = []
        for i, part in enumerate(chosen):
            if i:
                pieces.append(Piece(" and "))
            state = state_title(space, states[part.name])
            pieces.append(Piece(f"{part.title}, {state} ({signed(part.value)})", kind))
        return pieces

    if not pros and not cons:
        if silent:
            return [*lead, Piece("this is the label of an average review")]
        return [Piece("every concept is about as in an average review, so its label stays")]
    if not cons:
        return [*lead, *each(pros, "for"), Piece("; nothing speaks against it")]
    if not pros:
        return [
            *lead,
            *each(cons, "against"),
            Piece(f" speak{'s' if len(cons) == 1 else ''} against it, but every other label scores lower"),
        ]
    total = sum(part.value for part in (*pros, *cons))
    if abs(total) < LEAST:
        verb = [Piece(" and "), *each(cons, "against"), Piece(": they cancel out")]
        return [*lead, *each(pros, "for"), *verb]
    if total > 0:
        verb = f" outweigh{'s' if len(pros) == 1 else ''} "
        return [*lead, *each(pros, "for"), Piece(" and" + verb), *named(cons, "against")]
    speaks = f" speak{'s' if len(cons) == 1 else ''} against it more than "
    return [
        *lead,
        *each(cons, "against"),
        Piece(" and" + speaks),
        *named(pros, "for"),
        Piece(f" speak{'s' if len(pros) == 1 else ''} for it"),
    ]


def _top(parts: list[Part]) -> list[Part]:
    """The strongest, and the next where it is at least half as strong."""
    if not parts:
        return []
    floor = abs(parts[0].value) / 2
    return list(takewhile(lambda part: abs(part.value) >= floor, parts))[:2]


def state_title(space: ConceptSpace, state: str) -> str:
    """A state inside a sentence: "not mentioned" is no name and takes no capital."""
    title = space.title(state)
    return title[:1].lower() + title[1:] if state == UNKNOWN else title


def adds_up(explanation: Explanation, space: ConceptSpace) -> str:
    """How the score of the label comes about, in one line."""
    parts = breakdown(explanation, space)
    concepts = sum(part.value for part in parts.parts)
    count = f"{len(parts.parts)} concepts" if len(parts.parts) > 1 else "1 concept"
    return (
        f"An average review scores {signed(parts.base)}; the {count} add {signed(concepts)}: "
        f"together {signed(parts.total)}, the score of {space.title(explanation.label)}."
    )


def runner_up(explanation: Explanation, space: ConceptSpace) -> str | None:
    """A word of caution where another label is almost as likely."""
    ranked = sorted(explanation.probabilities.items(), key=lambda item: -item[1])
    (_, first), (label, second) = ranked[:2]
    if first - second >= CLOSE:
        return None
    return f"A close call: {space.title(label)} has {percent(second)}."

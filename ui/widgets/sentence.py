"""The answer as one sentence, from the same numbers as the charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import Part, breakdown, percent

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
        Piece(space.label_title(explanation.label), "label"),
        Piece(f" ({percent(explanation.probabilities[explanation.label])}): ", "sure"),
    ]
    return [*head, *_reasons(explanation, space, parts), Piece(".")]


def _reasons(explanation: Explanation, space: ConceptSpace, parts: Sequence[Part]) -> list[Piece]:
    strongest = max(abs(part.value) for part in parts)
    least = max(LEAST, strongest / 10)
    states = {name: item.state for name, item in explanation.concepts.items()}
    pros = _top([part for part in parts if part.value >= least])
    cons = _top([part for part in parts if part.value <= -least])
    if all(state == UNKNOWN for state in states.values()):
        return _silent(_top([part for part in parts if abs(part.value) >= least]))

    def named(chosen: Sequence[Part], verb: bool) -> list[Piece]:
        """ "Food is Positive (+1.90)" with the verb, "Food, Positive (+1.90)" without."""
        link = " is " if verb else ", "
        return _list(
            (f"{part.title}{link}{state_title(space, states[part.name])} ({part.text})", part.side)
            for part in chosen
        )

    if not pros and not cons:
        return [Piece("every concept is about as in an average review, so its label stays")]
    if not cons:
        against = any(part.side == "against" for part in parts)
        return [*named(pros, True), Piece(f"; {'little' if against else 'nothing'} speaks against it")]
    if not pros:
        speak = ", speaks" if len(cons) == 1 else ", speak"
        return [*named(cons, False), Piece(f"{speak} against it, but every other label scores lower")]
    total = sum(part.value for part in (*pros, *cons))
    if abs(total) < LEAST:
        return [*named(pros, True), Piece(" and "), *named(cons, True), Piece(": they cancel out")]
    if total > 0:
        outweigh = " and outweighs " if len(pros) == 1 else "; together they outweigh "
        return [*named(pros, True), Piece(outweigh), *named(cons, False)]
    against_it = " and speaks" if len(cons) == 1 else "; together they speak"
    return [
        *named(cons, True),
        Piece(f"{against_it} against it more than "),
        *named(pros, False),
        Piece(f", speak{'s' if len(pros) == 1 else ''} for it"),
    ]


def _silent(moving: Sequence[Part]) -> list[Piece]:
    """What to say where no concept is mentioned: states decide nothing then, only shades can."""
    lead = Piece("no concept is mentioned; ")
    if not moving:
        return [lead, Piece("this is the label of an average review")]
    named = _list((f"{part.title} ({part.text})", part.side) for part in moving)
    return [lead, Piece("shades of "), *named, Piece(" decide")]


def _list(items: Iterable[tuple[str, str]]) -> list[Piece]:
    """Coloured pieces with "and" between them."""
    pieces: list[Piece] = []
    for text, kind in items:
        if pieces:
            pieces.append(Piece(" and "))
        pieces.append(Piece(text, kind))
    return pieces


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
    count = f"{len(parts.parts)} concepts" if len(parts.parts) > 1 else "concept"
    return (
        f"What an average review gets ({parts.base_text}) and the {count} add up to the score of "
        f"{space.label_title(explanation.label)}: {parts.total_text}."
    )


def runner_up(explanation: Explanation, space: ConceptSpace) -> str | None:
    """A word of caution where another label is almost as likely."""
    ranked = sorted(explanation.probabilities.items(), key=lambda item: -item[1])
    (_, first), (label, second) = ranked[:2]
    if first - second >= CLOSE:
        return None
    return f"A close call: {space.label_title(label)} has {percent(second)}."


def shades(explanation: Explanation, space: ConceptSpace) -> str | None:
    """What to say where a concept that is not mentioned moves the score as much as one that is.

    Activations carry more than states (leakage): a reader must not take such a share for an opinion.
    """
    parts = breakdown(explanation, space).parts
    floor = max(LEAST, max(abs(part.value) for part in parts) / 2)
    silent = [
        part
        for part in parts
        if explanation.concepts[part.name].state == UNKNOWN and abs(part.value) >= floor
    ]
    if not silent:
        return None
    names = " and ".join(part.title for part in silent[:2])
    are, move = ("is", "moves") if len(silent) == 1 else ("are", "move")
    return (
        f"{names} {are} not mentioned, yet {move} the score: shades of the concept that its state does not "
        "show. The model card says how much rests on them."
    )

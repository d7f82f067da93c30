"""The answer as one sentence, from the same numbers as the charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from sparsecbm_core.concepts import REST, UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import Part, answer_breakdown, breakdown, digits_of, percent

# What adds less than this, or less than a tenth of the strongest, is not worth a word.
LEAST = 0.05
LEAST_SHARE = 1 / 80  # of the scale: 0.05 of five stars
CLOSE, NEAR = 0.1, 0.25
VERBS = {"lifts": "lifts it by", "costs": "costs"}


@dataclass(frozen=True)
class Piece:
    """A stretch of the sentence; ``kind`` is "label", "sure", "text" or a side of `Part`."""

    text: str
    kind: str = "text"


def plain(pieces: Sequence[Piece]) -> str:
    """The sentence without its colours."""
    return "".join(piece.text for piece in pieces)


def answer(explanation: Explanation, space: ConceptSpace) -> list[Piece]:
    """Label, and what decided it, strongest first.

    On the labels' own scale where they have one: "4 of 5 stars (3.8): Food lifts it by 0.9, Noise costs 0.4;
    the rest of the review adds 0.2." Otherwise by scores, with how sure the label is.
    """
    scale = answer_breakdown(explanation, space)
    if scale is not None:
        return [
            Piece(space.label_title(explanation.label), "label"),
            Piece(f" ({scale.total_text}{_of_points(space)}): ", "sure"),
            *_moves(explanation, space, scale.parts),
            Piece("."),
        ]
    parts = breakdown(explanation, space).parts
    head = [
        Piece(space.label_title(explanation.label), "label"),
        Piece(f" ({percent(explanation.probabilities[explanation.label])}): ", "sure"),
    ]
    return [*head, *_reasons(explanation, space, parts), Piece(".")]


def _of_points(space: ConceptSpace) -> str:
    return " of 100" if space.label_values == (0.0, 100.0) else ""


def least(space: ConceptSpace) -> float:
    """What a part of the answer has to come to, to be named."""
    values = space.label_values or (0.0,)
    return LEAST_SHARE * (max(values) - min(values))


def _moves(explanation: Explanation, space: ConceptSpace, parts: Sequence[Part]) -> list[Piece]:
    """What lifts the answer and what costs, of the concepts that are mentioned; then the rest.

    Only the paper's head lets concepts that are not mentioned move the answer: they are never named as
    reasons, and what they come to is said in one number.
    """
    silent = {name for name, item in explanation.concepts.items() if item.state == UNKNOWN}
    worth = [part for part in parts if abs(part.value) >= least(space) and part.side != "neutral"]
    named = [part for part in worth if part.name not in silent and part.name != REST]
    pieces: list[Piece] = []
    before = ""
    for part in named:
        verb = "by" if part.side == before == "lifts" else VERBS[part.side]
        pieces += [Piece(", ")] if pieces else []
        pieces += [
            Piece(f"{part.title}{_though(explanation, space, part)} {verb} {_size(part.text)}", part.side)
        ]
        before = part.side
    if not named:
        none = len(silent) == len(explanation.concepts)
        pieces.append(Piece("no concept is mentioned" if none else "no concept moves it by much"))
    rest = next((part for part in worth if part.name == REST), None)
    if rest is not None:
        adds = f"{'adds' if rest.side == 'lifts' else 'costs'} {_size(rest.text)}"
        pieces += [Piece("; "), Piece(f"the rest of the review {adds}", rest.side)]
    unsaid = sum(_number(part.text) for part in parts if part.name in silent)
    if abs(unsaid) >= least(space):
        shown = f"{abs(unsaid):.{digits_of(space)}f}"
        pieces += [
            Piece("; "),
            Piece(f"what it does not mention {'adds' if unsaid > 0 else 'costs'} {shown}", "neutral"),
        ]
    return pieces


def _though(explanation: Explanation, space: ConceptSpace, part: Part) -> str:
    """The state of a concept that moves the answer against it, as only the paper's head can."""
    state = explanation.concepts[part.name].state
    sign = space.signs[space.state_index(state)] * (1 if part.side == "lifts" else -1)
    return f", though {space.title(state)}," if sign < 0 else ""


def _size(text: str) -> str:
    return text.lstrip("+−")


def _number(text: str) -> float:
    return float(text.replace("−", "-"))


def _reasons(explanation: Explanation, space: ConceptSpace, parts: Sequence[Part]) -> list[Piece]:
    strongest = max(abs(part.value) for part in parts)
    enough = max(LEAST, strongest / 10)
    states = {name: item.state for name, item in explanation.concepts.items()}
    pros = _top([part for part in parts if part.value >= enough])
    cons = _top([part for part in parts if part.value <= -enough])
    if all(state == UNKNOWN for state in states.values()):
        return _silent(_top([part for part in parts if abs(part.value) >= enough]))

    def named(chosen: Sequence[Part], verb: bool) -> list[Piece]:
        """ "Food is Positive (+1.90)" with the verb, "Food, Positive (+1.90)" without."""
        link = " is " if verb else ", "

        def said(part: Part) -> str:  # the rest has no states
            return f"{link}{state_title(space, states[part.name])}" if part.name in states else ""

        return _list((f"{part.title}{said(part)} ({part.text})", part.side) for part in chosen)

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
    """How the answer, or without a scale the score of the label, comes about, in one line."""
    scale = answer_breakdown(explanation, space)
    if scale is not None:
        start = "From what a review gets that says nothing" if explanation.rest else "From an average review"
        sure = percent(explanation.probabilities[explanation.label])
        unit = f" {explanation.expected.unit}" if explanation.expected and explanation.expected.unit else ""
        return (
            f"{start}, {scale.base_text}{unit}, its parts make {scale.total_text}. "
            f"{space.label_title(explanation.label)} is {sure} likely."
        )
    parts = breakdown(explanation, space)
    what = "concepts" if explanation.rest is None else "parts"
    count = f"{len(parts.parts)} {what}" if len(parts.parts) > 1 else "concept"
    start = "an average review gets" if explanation.rest is None else "a review gets that says nothing"
    return (
        f"What {start} ({parts.base_text}) and the {count} add up to the score of "
        f"{space.label_title(explanation.label)}: {parts.total_text}."
    )


def runner_up(explanation: Explanation, space: ConceptSpace) -> str | None:
    """What keeps a near next label from being the answer; a word of caution where it is close, or where the
    likeliest label lies far from the expected value."""
    ranked = sorted(explanation.probabilities.items(), key=lambda item: -item[1])
    (best, first), (label, second) = ranked[:2]
    if (torn := _torn(explanation, space)) is not None:
        return torn
    title, scale = space.label_title(label), answer_breakdown(explanation, space)
    close = first - second < CLOSE
    if scale is None or first - second >= NEAR:
        return f"A close call: {title} has {percent(second)}." if close else None
    better = space.label_index(label) > space.label_index(best)
    silent = {name for name, item in explanation.concepts.items() if item.state == UNKNOWN}
    side = "costs" if better else "lifts"
    reason = next((part for part in scale.parts if part.side == side and part.name not in silent), None)
    start = "A close call: not" if close else "Not"
    if reason is None or abs(reason.value) < least(space):
        return f"A close call: {title} has {percent(second)}." if close else None
    what = "the rest of the review" if reason.name == REST else reason.title
    return f"{start} {title} ({percent(second)}), because {what} {VERBS[side]} {_size(reason.text)}."


def _torn(explanation: Explanation, space: ConceptSpace) -> str | None:
    """What draws the expected value more than a label's distance away from the likeliest label."""
    values, expected = space.label_values, explanation.expected
    scale = answer_breakdown(explanation, space)
    if values is None or expected is None or scale is None:
        return None
    best = space.label_index(explanation.label)
    toward = 1 if expected.value > values[best] else -1
    step = (max(values) - min(values)) / (len(values) - 1)
    if abs(expected.value - values[best]) <= step:
        return None
    beyond = [name for name in space.labels if (space.label_index(name) - best) * toward > 0]
    share = percent(sum(explanation.probabilities[name] for name in beyond))
    more = "more" if toward > 0 else "fewer"
    return (
        f"Of two minds: {space.label_title(explanation.label)} is likeliest with "
        f"{percent(explanation.probabilities[explanation.label])}, {more} than that has {share}; "
        f"the expected value, {scale.total_text}, lies between."
    )


def unlike(explanation: Explanation, space: ConceptSpace) -> str | None:
    """A word of caution for a text that is not of the kind which the model was trained on."""
    if explanation.familiar is not False:
        return None
    kind = f"a {space.reads}" if space.reads else "the texts that this model was trained on"
    return f"This does not look like {kind}, by its words: do not rely on this answer."


def shades(explanation: Explanation, space: ConceptSpace) -> str | None:
    """What to say where a concept that is not mentioned moves the score as much as one that is.

    Activations carry more than states (leakage): a reader must not take such a share for an opinion. With the
    honest head no such concept moves anything.
    """
    if explanation.rest is not None or explanation.expected is not None:
        return None
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

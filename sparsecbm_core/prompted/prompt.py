"""What a language model is asked, made from the names and titles of a `ConceptSpace`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.data.types import Example

Message = dict[str, str]

# JSON over HTTP is UTF-8, which has no place for half a character.
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Prompt:
    """The question for every review of one concept space, with examples or without.

    The model has to answer with one JSON object that holds a state for each concept, then the label:
    the paper's GPT-4 row gives both from one prompt too, whose wording is not published.
    ``shots`` are answered beforehand, each in a turn of its own.

    >>> space = ConceptSpace(("food",), ("Negative", "Positive"), ("bad", "good"))
    >>> [message["role"] for message in Prompt(space).messages("Cold soup.")]
    ['user']
    """

    space: ConceptSpace
    shots: tuple[Example, ...] = ()

    def messages(self, text: str) -> list[Message]:
        """The conversation to continue; it ends with the review to read.

        The instructions open the first turn instead of standing in a system message: some chat
        templates have no place for one.
        """
        turns: list[Message] = []
        for shot in self.shots:
            turns += [_turn("user", _review(shot.text)), _turn("assistant", self.answer(shot))]
        turns.append(_turn("user", _review(text)))
        turns[0] = _turn("user", f"{self.instructions()}\n\n{turns[0]['content']}")
        return turns

    def instructions(self) -> str:
        space = self.space
        form = {**dict.fromkeys(space.concepts, "<state>"), label_key(space): "<label>"}
        return "\n".join(
            [
                "Read a review and label it. For each of the concepts below, choose the state that says how "
                "the review speaks of it. Then choose the label of the review as a whole.",
                "",
                "Concepts:",
                *_listed(space.concepts, space.title),
                "",
                "States, the same for every concept:",
                *_listed(space.states, space.title),
                "",
                "Labels of a review:",
                *_listed(space.labels, space.label_title),
                "",
                "Answer with one JSON object and nothing before or after it. It has exactly the keys shown "
                "here; every value is one of the states or labels above, spelled as above, as text in double "
                "quotes:",
                _json(form),
            ]
        )

    def answer(self, example: Example) -> str:
        """The right answer for an example, in the form that is asked for."""
        space = self.space
        states = {name: space.states[c] for name, c in zip(space.concepts, example.concepts, strict=True)}
        return _json({**states, label_key(space): space.labels[example.label]})

    @property
    def fingerprint(self) -> str:
        """Hash of everything but the review (16 hex digits)."""
        return hashlib.sha256(json.dumps(self.messages("")).encode()).hexdigest()[:16]


def label_key(space: ConceptSpace) -> str:
    """The key of the label in an answer: "label", unless a concept has that name."""
    key = "label"
    while key in space.concepts:
        key = f"review {key}"
    return key


def _listed(names: Iterable[str], title: Callable[[str], str]) -> list[str]:
    """A line for each name, with what it means where the title says more."""
    said = ((name, title(name)) for name in names)
    return [
        f"- {_json(name)}" + ("" if meaning.casefold() == name.casefold() else f": {meaning}")
        for name, meaning in said
    ]


def _turn(role: str, content: str) -> Message:
    return {"role": role, "content": _SURROGATE.sub("\ufffd", content)}


def _review(text: str) -> str:
    return f"Review:\n{text}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

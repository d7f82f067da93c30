"""Answers on disk, one a line as they come, so that a stopped run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import InputError
from sparsecbm_core.prompted.client import Reply
from sparsecbm_core.prompted.parse import Parsed, parse_answer

_BEGIN = '{"id": '


@dataclass(frozen=True)
class Answer:
    """The reply to one review. ``request`` is the hash of model, settings and conversation that it answers;
    ``seconds`` what it took, waits included."""

    id: str
    request: str
    reply: Reply
    seconds: float

    def parsed(self, space: ConceptSpace) -> Parsed:
        return parse_answer(self.reply.text, space, self.reply.finish)

    def line(self, space: ConceptSpace) -> str:
        """One JSON object. "parsed", "reason" and "detail" are for a reader: what counts is read anew from
        "answer" each time."""
        reply, parsed = self.reply, self.parsed(space)
        asked = {"id": self.id, "request": self.request, "answer": reply.text, "finish": reply.finish}
        read = {"parsed": _named(parsed, space), "reason": parsed.reason, "detail": parsed.detail}
        used = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
        return json.dumps({**asked, **read, **used, "seconds": self.seconds})

    @classmethod
    def from_line(cls, line: str) -> Answer:
        """Raises `ValueError`, `KeyError` or `TypeError` for a line that is none of ours."""
        data = json.loads(line)
        answer, finish = data["answer"], data["finish"]
        if not isinstance(answer, str) or not isinstance(finish, str | None):
            raise TypeError("answer and finish must be text")
        reply = Reply(answer, finish, data["prompt_tokens"], data["completion_tokens"])
        return cls(str(data["id"]), str(data["request"]), reply, float(data["seconds"]))


def _named(parsed: Parsed, space: ConceptSpace) -> Mapping[str, Any] | None:
    """States by concept, and the label, as names; None for an answer that cannot be read."""
    if parsed.states is None or parsed.label is None:
        return None
    states = [space.states[state] for state in parsed.states]
    concepts = dict(zip(space.concepts, states, strict=True))
    return {"concepts": concepts, "label": space.labels[parsed.label]}


def read_answers(path: Path) -> dict[str, Answer]:
    """Answers by the review's id, the first one where there are several; none if there is no file.

    A last line without its end, as a kill leaves it, is cut off the file. Raises `InputError` for any other
    line that is no answer, and leaves the file as it is.
    """
    if not path.exists():
        return {}
    try:
        content = path.read_bytes()
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read answers from {path}: {error}") from error
    found: dict[str, Answer] = {}
    # Not splitlines(): it also splits at signs that JSON allows inside a text.
    *lines, rest = text.split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            answer = Answer.from_line(line)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"{path}, line {number} is no answer of an earlier run ({error}); give another --answers file"
            ) from error
        found.setdefault(answer.id, answer)
    if rest:
        if not rest.startswith(_BEGIN[: len(rest)]):
            raise InputError(f"{path} is not a file of answers; give another --answers file")
        with path.open("rb+") as handle:
            handle.truncate(len(content) - len(rest.encode()))
    return found


@contextmanager
def appending(path: Path) -> Iterator[TextIO]:
    """The file to add lines to, each with its end; made where there is none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"cannot write answers to {path}: {error}") from error
    with handle:
        yield handle

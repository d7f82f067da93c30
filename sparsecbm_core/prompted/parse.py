"""An answer read strictly: exactly the object that was asked for, or unparseable with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.prompted.prompt import label_key

EMPTY = "no answer"
CUT_OFF = "cut off"
WITHHELD = "withheld by the server"
TOO_LONG = "review too long"
NOT_JSON = "not JSON"
CHATTER = "text around the object"
NOT_AN_OBJECT = "not an object"
WRONG_KEYS = "wrong keys"
WRONG_VALUE = "wrong value"
REASONS = (EMPTY, CUT_OFF, WITHHELD, TOO_LONG, NOT_JSON, CHATTER, NOT_AN_OBJECT, WRONG_KEYS, WRONG_VALUE)

# Why the server stopped → the reason, where what it gave cannot be read.
_STOPPED = {"length": CUT_OFF, "content_filter": WITHHELD, "context_length_exceeded": TOO_LONG}
_FENCE = re.compile(r"```(?:json)?[ \t]*\r?\n(.*?)\r?\n[ \t]*```", re.DOTALL | re.IGNORECASE)
_SHOWN = 80  # characters of a wrong value in a message


@dataclass(frozen=True)
class Parsed:
    """What an answer says: state indices (K,) and a label index; or ``reason``, one of `REASONS`.

    ``detail`` says what was wrong, for a reader.
    """

    states: tuple[int, ...] | None = None
    label: int | None = None
    reason: str | None = None
    detail: str = ""


class _Unfit(Exception):
    """A reason, and the detail to it."""


def parse_answer(text: str, space: ConceptSpace, finish: str | None = None) -> Parsed:
    """Read an answer; never raises.

    A JSON object alone or in one code fence, with a key for each concept and one for the label, in
    any order, and values spelled as in ``space``. Nothing is guessed: "positive" is not "Positive",
    4 is not "4", and an answer that is half right is no answer. ``finish`` is the server's word on
    why the answer ends.
    """
    try:
        return _read(_load(text), space)
    except _Unfit as unfit:
        reason, detail = unfit.args
        return Parsed(reason=_STOPPED.get(finish or "", reason), detail=detail)


def _load(text: str) -> Any:
    bare = text.strip()
    if not bare:
        raise _Unfit(EMPTY, "the answer is empty")
    fenced = _FENCE.fullmatch(bare)
    try:
        # Python's own NaN and Infinity are no JSON.
        return json.loads(
            fenced[1] if fenced else bare, object_pairs_hook=_object, parse_constant=_not_a_number
        )
    except (ValueError, RecursionError) as error:
        around = _holds_an_object(bare)
        raise _Unfit(CHATTER if around else NOT_JSON, f"{error}: {_shown(bare)}") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Unfit(WRONG_KEYS, f"a key twice: {', '.join(key for key, _ in pairs)}")
    return found


def _not_a_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _holds_an_object(text: str) -> bool:
    """Whether the text goes on before or after a whole JSON object."""
    start = text.find("{")
    if start < 0:
        return False
    try:
        json.JSONDecoder(parse_constant=_not_a_number).raw_decode(text[start:])
    except (ValueError, RecursionError):
        return False
    return True


def _read(answer: Any, space: ConceptSpace) -> Parsed:
    if not isinstance(answer, Mapping):
        raise _Unfit(NOT_AN_OBJECT, f"an object expected, got {_shown(json.dumps(answer))}")
    key = label_key(space)
    expected = {*space.concepts, key}
    if answer.keys() != expected:
        parts = {"missing": sorted(expected - answer.keys()), "unexpected": sorted(answer.keys() - expected)}
        told = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in parts.items() if names)
        raise _Unfit(WRONG_KEYS, _shown(told))
    states = tuple(_index(space.states, answer[name], name) for name in space.concepts)
    return Parsed(states, _index(space.labels, answer[key], key))


def _index(names: Sequence[str], value: Any, key: str) -> int:
    if not isinstance(value, str) or value not in names:
        raise _Unfit(WRONG_VALUE, f"{key} is {_shown(json.dumps(value))}; allowed: {', '.join(names)}")
    return names.index(value)


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."

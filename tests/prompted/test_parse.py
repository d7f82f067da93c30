"""Strict reading: exactly the object that was asked for, or a reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.data.types import Example
from sparsecbm_core.prompted import parse
from sparsecbm_core.prompted.parse import REASONS, Parsed, parse_answer
from sparsecbm_core.prompted.prompt import Prompt
from tests.prompted.server import GOOD
from tests.tiny import SPACE
from tests.toy import make_example

READ = Parsed(states=(0, 1, 2), label=1)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n  {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```\n",
        f"```JSON \r\n{GOOD}\r\n```",
        '{\n "label": "2",\n "noise": "unknown",\n "service": "Positive",\n "food": "Negative"\n}',
        '{"food": "Neg\\u0061tive", "service": "Positive", "noise": "unknown", "label": "2"}',
    ],
)
def test_the_object_alone_or_in_one_fence_is_read(text):
    assert parse_answer(text, SPACE) == READ


def changed(**values):
    return json.dumps({**json.loads(GOOD), **values})


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        ("", parse.EMPTY, "empty"),
        (" \n\t", parse.EMPTY, "empty"),
        (f"Here you are: {GOOD}", parse.CHATTER, "Here"),
        (f"{GOOD}\nI chose 2 since the soup was cold.", parse.CHATTER, "Extra data"),
        (f"{GOOD}\n{GOOD}", parse.CHATTER, "Extra data"),
        (f"<think>cold soup</think>{GOOD}", parse.CHATTER, "think"),
        (f"Sure!\n```json\n{GOOD}\n```", parse.CHATTER, "Sure"),
        (f"```json\n{GOOD}\n```\n```json\n{GOOD}\n```", parse.CHATTER, "```"),
        ("The food is bad, two stars.", parse.NOT_JSON, "The food"),
        (GOOD[:-1], parse.NOT_JSON, "delimiter"),
        (GOOD.replace('"', "'"), parse.NOT_JSON, "quotes"),
        (GOOD.replace('"2"', "NaN"), parse.NOT_JSON, "NaN is not JSON"),
        ("[" * 100_000, parse.NOT_JSON, "recursion"),
        (f"[{GOOD}]", parse.NOT_AN_OBJECT, "an object expected"),
        ('"Negative"', parse.NOT_AN_OBJECT, "an object expected"),
        ("null", parse.NOT_AN_OBJECT, "null"),
        ("{}", parse.WRONG_KEYS, "missing: food, label, noise, service"),
        (changed(price="unknown"), parse.WRONG_KEYS, "unexpected: price"),
        (changed().replace('"noise"', '"Noise"'), parse.WRONG_KEYS, "missing: noise; unexpected: Noise"),
        (changed().replace('"noise": "unknown"', '"food": "Positive"'), parse.WRONG_KEYS, "a key twice"),
        (
            changed(food="negative"),
            parse.WRONG_VALUE,
            'food is "negative"; allowed: Negative, Positive, unknown',
        ),
        (changed(food=None), parse.WRONG_VALUE, "food is null"),
        (changed(food=["Negative"]), parse.WRONG_VALUE, "food is ["),
        (changed(label=2), parse.WRONG_VALUE, "label is 2; allowed: 1, 2, 3, 4"),
        (changed(label="5"), parse.WRONG_VALUE, 'label is "5"'),
        (changed(label=True), parse.WRONG_VALUE, "label is true"),
    ],
)
def test_anything_else_is_unparseable_with_its_reason(text, reason, detail):
    parsed = parse_answer(text, SPACE)
    assert (parsed.states, parsed.label, parsed.reason) == (None, None, reason)
    assert detail in parsed.detail
    assert reason in REASONS


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("length", parse.CUT_OFF),
        ("content_filter", parse.WITHHELD),
        ("context_length_exceeded", parse.TOO_LONG),
        ("stop", parse.NOT_JSON),
        ("unheard of", parse.NOT_JSON),
        (None, parse.NOT_JSON),
    ],
)
def test_why_the_server_stopped_explains_what_cannot_be_read(finish, reason):
    assert parse_answer(GOOD[:20], SPACE, finish).reason == reason
    assert parse_answer(GOOD, SPACE, finish) == READ


def test_a_long_wrong_value_is_shown_in_part():
    assert len(parse_answer(changed(food="x" * 5000), SPACE).detail) < 200


@given(st.text())
def test_no_text_makes_it_raise(text):
    assert parse_answer(text, SPACE).reason in REASONS


@given(st.tuples(*[st.integers(0, 2)] * 3), st.integers(0, 3), st.booleans())
def test_right_answers_are_read_as_what_they_are(states, label, fenced):
    text = Prompt(SPACE).answer(make_example(0, states, label))
    parsed = parse_answer(f"```json\n{text}\n```" if fenced else text, SPACE)
    assert parsed == Parsed(states, label)


def test_a_concept_that_is_called_label():
    space = ConceptSpace(("label", "review label"), ("a", "b"), ("x", "y"))
    text = Prompt(space).answer(Example("1", "text", 1, (1, 0)))
    assert json.loads(text) == {"label": "b", "review label": "a", "review review label": "y"}
    assert parse_answer(text, space) == Parsed((1, 0), 1)

"""The answer sentence: every case in words, numbers as in the charts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.figures import breakdown
from tests.app.made import SPACE, made
from ui.widgets.sentence import adds_up, answer, plain, runner_up, shades


@pytest.mark.parametrize(
    ("food", "service", "states", "expected"),
    [
        (1.9, -0.7, {}, "Food is Positive (+1.90) and outweighs Service, Negative (−0.70)."),
        (
            -1.9,
            0.7,
            {},
            "Food is Positive (−1.90) and speaks against it more than Service, Negative (+0.70), speaks "
            "for it.",
        ),
        (
            1.9,
            1.2,
            {},
            "Food is Positive (+1.90) and Service is Negative (+1.20); nothing speaks against it.",
        ),
        (1.9, 0.18, {}, "Food is Positive (+1.90); nothing speaks against it."),
        (1.9, -0.18, {}, "Food is Positive (+1.90); little speaks against it."),
        (1.9, -0.01, {}, "Food is Positive (+1.90); little speaks against it."),
        (
            -1.9,
            -1.2,
            {},
            "Food, Positive (−1.90) and Service, Negative (−1.20), speak against it, but every other "
            "label scores lower.",
        ),
        (-1.9, -0.1, {}, "Food, Positive (−1.90), speaks against it, but every other label scores lower."),
        (0.7, -0.7, {}, "Food is Positive (+0.70) and Service is Negative (−0.70): they cancel out."),
        (0.01, -0.02, {}, "every concept is about as in an average review, so its label stays."),
        (
            0.01,
            0.0,
            {"food": UNKNOWN, "service": UNKNOWN},
            "no concept is mentioned; this is the label of an average review.",
        ),
        (
            0.9,
            0.0,
            {"food": UNKNOWN, "service": UNKNOWN},
            "no concept is mentioned; shades of Food (+0.90) decide.",
        ),
        (
            -0.9,
            0.5,
            {"food": UNKNOWN, "service": UNKNOWN},
            "no concept is mentioned; shades of Food (−0.90) and Service (+0.50) decide.",
        ),
    ],
)
def test_says_what_decided(food: float, service: float, states: dict[str, str], expected: str) -> None:
    assert plain(answer(made(food, service, states), SPACE)) == f"Good review (62 %): {expected}"


@given(st.floats(-9, 9), st.floats(-9, 9))
def test_names_only_numbers_of_the_chart_and_its_strongest_first(food: float, service: float) -> None:
    explanation = made(food, service)
    parts = {part.title: part.text for part in breakdown(explanation, SPACE).parts}
    text = plain(answer(explanation, SPACE))
    told = re.findall(r"(Food|Service)[^()]* \(([+−]?[\d.]+)\)", text)
    assert all(parts[title] == number for title, number in told)
    if max(abs(food), abs(service)) >= 0.05:
        assert len(told) >= 1
    if "nothing speaks against it" in text:
        assert not any(number.startswith("−") for number in parts.values())


def test_the_line_below_adds_up() -> None:
    assert adds_up(made(1.9, -0.7), SPACE) == (
        "What an average review gets (+0.50) and the 2 concepts add up to the score of Good review: +1.70."
    )


def test_a_close_call_is_named() -> None:
    assert runner_up(made(probability=0.52), SPACE) == "A close call: bad has 48 %."
    assert runner_up(made(probability=0.62), SPACE) is None


def test_a_share_of_what_is_not_mentioned_is_no_opinion() -> None:
    assert shades(made(1.9, 1.2), SPACE) is None
    assert shades(made(1.9, 0.3, {"service": UNKNOWN}), SPACE) is None
    note = shades(made(1.9, 1.2, {"service": UNKNOWN}), SPACE)
    assert note is not None
    assert note.startswith("Service is not mentioned, yet moves the score")
    both = shades(made(1.9, 1.2, {"food": UNKNOWN, "service": UNKNOWN}), SPACE)
    assert both is not None
    assert both.startswith("Food and Service are not mentioned, yet move the score")

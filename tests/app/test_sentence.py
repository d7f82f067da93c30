"""The answer sentence: every case in words, numbers as in the charts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.explain.results import RestExplanation
from sparsecbm_core.figures import answer_breakdown, breakdown
from tests.app.made import SPACE, STARS, made, made_in_stars
from ui.explain.answer import answer_html
from ui.widgets.sentence import adds_up, answer, plain, runner_up, shades, unlike


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


def test_without_an_order_the_rest_is_a_part_of_the_score() -> None:
    rest = RestExplanation((0.5,), {"bad": -1.2, "good": 1.2}, {"bad": -1.2, "good": 1.2})
    why = replace(made(1.9, -0.7), rest=rest)
    assert plain(answer(why, SPACE)) == (
        "Good review (62 %): Food is Positive (+1.90) and Rest of the review (+1.20); together they outweigh "
        "Service, Negative (−0.70)."
    )
    assert adds_up(why, SPACE).startswith(
        "What a review gets that says nothing (+0.50) and the 3 parts add up"
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


@pytest.mark.parametrize(
    ("parts", "states", "expected"),
    [
        (
            {"food": 0.9, "service": 0.6, "rest": 0.2},
            {"service": "Positive"},
            "Food lifts it by 0.9, Service by 0.6; the rest of the review adds 0.2.",
        ),
        (
            {"food": 0.6, "service": -0.9, "rest": -0.2},
            {},
            "Service costs 0.9, Food lifts it by 0.6; the rest of the review costs 0.2.",
        ),
        ({"food": 0.9, "service": -0.04, "rest": 0.02}, {}, "Food lifts it by 0.9."),
        ({"food": 0.9, "service": 0.3}, {}, "Food lifts it by 0.9, Service, though Negative, by 0.3."),
        (
            {"food": 0.0, "service": 0.0, "rest": 1.2},
            {"food": UNKNOWN, "service": UNKNOWN},
            "no concept is mentioned; the rest of the review adds 1.2.",
        ),
        ({"food": 0.01, "service": 0.0, "rest": 0.0}, {"service": UNKNOWN}, "no concept moves it by much."),
        (
            {"food": 0.5, "service": 0.8},
            {"service": UNKNOWN},
            "Food lifts it by 0.5; what it does not mention adds 0.8.",
        ),
    ],
)
def test_in_stars_it_says_what_lifts_and_what_costs(parts, states, expected) -> None:
    total = f"{3 + sum(parts.values()):.1f}"
    assert plain(answer(made_in_stars(parts, states), STARS)) == f"4 stars ({total}): {expected}"


@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.floats(-0.5, 0.5))
def test_numbers_of_the_sentence_are_those_of_the_chart(food: float, service: float, rest: float) -> None:
    explanation = made_in_stars({"food": food, "service": service, "rest": rest})
    view = answer_breakdown(explanation, STARS)
    assert view is not None
    shown = {part.title: part.text.lstrip("+−") for part in view.parts}
    text = plain(answer(explanation, STARS))
    told = re.findall(r"(Food|Service)(?:, though \w+,)? (?:lifts it by|by|costs) (\d+\.\d)", text)
    assert all(shown[title] == number for title, number in told)
    assert f"({view.total_text})" in text
    terms = [float(view.base_text), *(float(part.text.replace("−", "-")) for part in view.parts)]
    assert sum(terms) == pytest.approx(float(view.total_text))


def test_the_next_label_is_named_with_what_keeps_it_away() -> None:
    parts = {"food": 1.2, "service": -0.6, "rest": 0.1}
    close = made_in_stars(parts, shares=(0.1, 0.1, 0.44, 0.36))
    assert runner_up(close, STARS) == "A close call: not 5 stars (36 %), because Service costs 0.6."
    near = made_in_stars(parts, shares=(0.1, 0.3, 0.5, 0.1))
    assert runner_up(near, STARS) == "Not 3 stars (30 %), because Food lifts it by 1.2."
    assert runner_up(made_in_stars(parts, shares=(0.1, 0.1, 0.7, 0.1)), STARS) is None
    plainly = made_in_stars({"food": 1.2, "service": 0.2, "rest": 0.1}, shares=(0.1, 0.1, 0.44, 0.36))
    assert runner_up(plainly, STARS) == "A close call: 5 stars has 36 %."


def test_a_likeliest_label_far_from_the_expected_value_is_explained() -> None:
    far = made_in_stars({"food": -0.9, "rest": 0.3}, shares=(0.1, 0.1, 0.44, 0.36))
    assert runner_up(far, STARS) == (
        "Of two minds: 4 stars is likeliest with 44 %, fewer than that has 20 %; the expected value, 2.4, "
        "lies between."
    )
    near = replace(made_in_stars({"food": 0.2, "rest": 0.1}, shares=(0.45, 0.05, 0.05, 0.45)), label="2")
    assert runner_up(near, STARS) == (
        "Of two minds: 2 stars is likeliest with 45 %, more than that has 55 %; the expected value, 3.3, "
        "lies between."
    )


def test_where_the_answer_starts_is_said() -> None:
    found = adds_up(made_in_stars({"food": 0.9, "service": -0.2, "rest": 0.1}), STARS)
    assert found == (
        "From what a review gets that says nothing, 3.0 stars, its parts make 3.8. 4 stars is 60 % likely."
    )
    average = adds_up(made_in_stars({"food": 0.9, "service": -0.2}), STARS)
    assert average.startswith("From an average review, 3.0 stars,")


def test_a_text_of_another_kind_is_called_one() -> None:
    meals = replace(SPACE, reads="restaurant review")
    assert unlike(replace(made(), familiar=False), meals) == (
        "This does not look like a restaurant review, by its words: do not rely on this answer."
    )
    assert "the texts that this model was trained on" in str(unlike(replace(made(), familiar=False), SPACE))
    shown = answer_html(replace(made(), familiar=False), meals)
    assert shown.index("does not look like a restaurant review") < shown.index("sc-headline")
    assert "does not look like" not in answer_html(made(), meals)
    assert unlike(replace(made(), familiar=True), meals) is None
    assert unlike(made(), meals) is None

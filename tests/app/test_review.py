"""The review as HTML: safe whatever it holds, coloured where it matters, honest about what was not read."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.concepts import UNKNOWN
from tests.app.made import made
from ui.widgets.review_text import legend_html, review_html, unread, words_read

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "&lt;b&gt; & &amp;",
    "a  b\n\n    c\t`x` **y** $z$ [l](javascript:alert(1))",
    "\u202eevil\u202c 😀 e\u0301",
]


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(text: str) -> None:
    html = review_html(made(text=text, scores=(1.0, -1.0)), "food", True)
    assert set(re.findall(r"<(\w+)", html)) <= {"div", "span"}
    assert text_of(html) == text


@given(st.text(min_size=1).filter(lambda text: "\x00" not in text), st.lists(st.floats(-5, 5), max_size=6))
def test_the_whole_text_is_there_in_order(text: str, scores: list[float]) -> None:
    assert text_of(review_html(made(text=text, scores=tuple(scores)), "food", True)) == text


def test_sign_is_shown_by_more_than_colour_and_faint_words_are_left_plain() -> None:
    html = review_html(made(text="good bad meh", scores=(2.0, -1.0, 0.05)), "food", True)
    assert '<span class="sc-word sc-for" style="--strength: 1.00" title="+2.00">good</span>' in html
    assert '<span class="sc-word sc-against" style="--strength: 0.50" title="−1.00">bad</span>' in html
    assert "meh</div>" in html


def test_scores_without_a_sign_take_no_side() -> None:
    html = review_html(made(text="good bad", scores=(2.0, 1.0)), "food", False)
    assert html.count("sc-word sc-neutral") == 2
    assert "against" not in html + legend_html("Positive", False, "")
    assert 'title="2.00"' in html
    assert "+" not in html


def test_nothing_is_coloured_where_the_concept_is_not_mentioned() -> None:
    html = review_html(made(text="good bad", scores=(2.0, 1.0), states={"food": UNKNOWN}), "food", True)
    assert "word" not in html


def test_what_was_not_read_is_grey_and_counted() -> None:
    explanation = made(text="one two three four", scores=(1.0, 1.0), kept_chars=7)
    assert '<span class="sc-unread"> three four</span>' in review_html(explanation, "food", True)
    assert words_read(explanation) == "first 2 of 4 words read"
    assert unread(explanation.text, explanation.truncated).endswith("not read, only the first 2 of 4 words")
    assert words_read(made(text="one")) == "1 word, all read"
    assert unread("one", made(text="one").truncated) == ""


def test_a_word_that_was_cut_in_two_was_not_read() -> None:
    assert words_read(made(text="one two three", kept_chars=10)) == "first 2 of 3 words read"
    assert words_read(made(text="one two three", kept_chars=8)) == "first 2 of 3 words read"


def test_a_text_without_spaces_is_counted_by_its_characters() -> None:
    assert words_read(made(text="汤" * 800, kept_chars=300)) == "first 300 of 800 characters read"


def test_null_characters_are_made_visible() -> None:
    assert "\x00" not in review_html(made(text="a\x00b"), "food", True)


def test_a_long_review_scrolls_and_can_be_reached_by_keyboard() -> None:
    assert 'tabindex="0"' in review_html(made(text="word " * 400), "food", True)
    assert "tabindex" not in review_html(made(text="word"), "food", True)

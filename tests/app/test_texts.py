"""Texts that nobody expects, and texts that take long."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from sparsecbm_core.session.correction import LONGEST_TEXT
from tests.app.conftest import CARD, EXPLAIN, Start, around_words, explain, html, sentence, shown_review


@pytest.mark.parametrize("text", ["", "   \n\t ", "\u200b"])
def test_an_empty_text_gives_a_hint(start: Start, text: str) -> None:
    app = explain(start(), text)
    assert not app.exception
    assert html(app, 'class="sc-hint"')


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script><img src=x onerror=alert(2)>",
        "😀😀 \u202eevil\u202c e\u0301 \x00 null",
        "=1+1 | `code` $x$ **bold** [a](javascript:alert(1))",
        "x" * 100_000,
        "The soup was cold. " * 5_300,
        "\n".join(["", "    indented", "", "# heading"]),
    ],
    ids=["markup", "signs", "formulas", "one endless word", "100,000 characters", "lines"],
)
def test_hostile_texts_are_explained_as_text(start: Start, text: str) -> None:
    app = explain(start(), text)
    assert not app.exception
    shown = html(app, 'class="review"')
    assert set(re.findall(r"<(\w+)", shown)) <= {"div", "span"}
    assert len(shown_review(app)) == len(text)
    assert sentence(app)


def test_a_text_over_the_limit_is_refused_in_words_and_stays_in_the_field(start: Start) -> None:
    app = explain(start(), "The soup was cold.")
    explain(app, "x" * (LONGEST_TEXT + 1))
    assert not app.exception
    assert "200,001 characters; up to 200,000" in html(app, "sc-problem")
    assert app.text_area(key="review").value == "x" * (LONGEST_TEXT + 1)
    assert shown_review(app) == "The soup was cold."
    explain(app, "The waiter was slow.")
    assert not html(app, "sc-problem")


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, float]]:
    """What the page is told of the progress, run by run, and of which concept; None for all the others."""
    seen: list[tuple[str | None, float]] = []

    def heard(on_progress: Callable[[float], None], concept: str | None) -> Callable[[float], None]:
        def note(share: float) -> None:
            seen.append((concept, share))
            on_progress(share)

        return note

    around_words(monkeypatch, heard)
    return seen


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_scoring_tells_how_far_it_is(
    start: Start, shares: list[tuple[str | None, float]], method: str
) -> None:
    text = f"{method} found the soup cold. " * 12
    app = start(method=method, concept="noise")
    shares.clear()  # of the opening example, where no other test has asked for it before
    explain(app, text)
    assert not app.exception
    parts = [name for name, _ in shares]
    others = parts.index(None)
    assert set(parts[:others]) == {"noise"}
    assert set(parts[others:]) == {None}
    for told in ([share for _, share in shares[:others]], [share for _, share in shares[others:]]):
        assert len(told) >= 3
        assert told == sorted(told)
        assert told[-1] == pytest.approx(1.0)
        assert told[0] < 0.5


def test_what_is_known_is_shown_at_once(start: Start, shares: list[tuple[str | None, float]]) -> None:
    first = explain(start(), "A text that nobody has asked for yet.")
    assert shares
    shares.clear()
    second = explain(start(), "A text that nobody has asked for yet.")
    assert shown_review(first) == shown_review(second)
    first.switch_page(CARD).run()
    first.switch_page(EXPLAIN).run()
    assert shares == []
    assert "sc-word" in html(first, 'class="review"')

"""Corrections that are called off, out of date, or of reviews that are on guard no longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sparsecbm_core.evaluate.chain import ChainPoint
from sparsecbm_core.intervene.guard import Change
from sparsecbm_core.session.correction import Request
from sparsecbm_core.session.guard import Guard
from tests.app.conftest import Start, html, said
from tests.app.test_correct import correct, other, state_of
from tests.tiny import SPACE, make_tiny
from ui.correct import corrected, correcting, side_effects
from ui.correct import states as correct_section
from ui.corrections import chain
from ui.frame import address
from ui.resources import guard_reviews
from ui.state import AppState
from ui.work import Work

ROWS = "text,label,food,service,noise\ngood soup,4,Positive,unknown,unknown\n"


def upload(app: Any, rows: str = ROWS) -> None:
    app.file_uploader(key="guard_file").set_value(("mine.csv", rows.encode(), "text/csv")).run()
    assert not app.exception


def asked() -> AppState:
    state = AppState(work=Work(text="Cold soup."))
    state.on(state.work.correct, "food", "Positive")()
    assert state.work.request == Request("Cold soup.", "food", "Positive")
    return state


def test_the_state_that_the_model_finds_already_calls_a_correction_off() -> None:
    state = asked()
    correct_section.choose(state, "Negative", "food", "Negative")
    assert state.work.request is None
    correct_section.choose(state, "Negative", "food", "Positive")
    assert state.work.request == Request("Cold soup.", "food", "Positive")


@pytest.mark.parametrize(
    ("moved", "went_back", "left"), [(True, False, 0), (False, True, 0), (False, False, 1)]
)
def test_whoever_leaves_the_page_or_goes_back_has_called_it_off(
    moved: bool, went_back: bool, left: int
) -> None:
    state = asked()
    address._arrive(state, address._Visit("explain", {}, moved, went_back))
    assert (state.work.request is not None) == bool(left)


def test_going_back_while_a_part_of_the_page_works_is_going_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now: dict[str, str] = {"example": "b"}
    monkeypatch.setattr(address, "_given", lambda names: dict(now))
    state = asked()
    state.page, state.address = "explain", {"example": "b", "concept": "food"}
    assert not address._visit(state, "explain", ()).went_back  # the click that is answered now
    address.answered(state)
    assert not address._visit(state, "explain", ()).went_back  # its address is older than the last one
    now["example"] = "a"
    assert address._visit(state, "explain", ()).went_back


def test_other_guard_reviews_are_drawn_at_once() -> None:
    """They are opened in a part of the page that is drawn alone, with the reviews that it was given."""
    state = AppState(work=Work(text="Cold soup."))
    before = correct_section._seen(state)
    state.work.guard_reviews = guard_reviews.own(ROWS.encode(), "mine.csv", SPACE)
    assert correct_section._seen(state) != before


def test_what_is_asked_first_is_no_part_of_the_report(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    made, reported = [], correcting.reported

    def listening(*given: Any) -> Callable[[], list[str]]:
        made.append(reported(*given))
        return made[-1]

    monkeypatch.setattr(correcting, "reported", listening)
    app = start()
    state_of(app).work.settings = type(state_of(app).work.settings)(rule="signed", most_broken=-1)
    app.run()
    app.pills(key="state-food").set_value(other(app)).run()
    assert html(app, "This would break")
    assert made[-1]() == []
    app.button(key="take_over").click().run()
    done = state_of(app).work.corrections[0].intervention
    assert done is not None
    parts = made[-1]()
    assert corrected.result_html(done, SPACE) in parts
    assert "the model with 1 correction, not by the model as it was loaded" in "".join(parts)


def test_a_correction_says_how_it_was_once_the_chain_is_another(start: Start) -> None:
    app = start()
    correct(app)
    wanted = correct(app, "noise")
    assert "noise is now read as" in said(app)
    state = state_of(app)
    state.work.history.drop(state.work.corrections[0].fingerprint)
    app.run()
    assert html(app, f"noise was then read as {wanted}")
    assert html(app, "added or dropped since")
    assert "is now read as" not in said(app)
    app.button(key="undo").click().run()  # and both again
    assert html(app, f"noise is now read as {wanted}")


def test_reviews_of_ones_own_are_listed_by_a_name_that_no_address_has(
    guard_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_reviews, "FOLDER", guard_file.parent)
    mine = guard_reviews.own(ROWS.encode(), "mine.csv", SPACE)
    (review,) = mine
    assert review.id.startswith("own-")
    assert not side_effects._is_bundled(review.id, review.text, SPACE)
    bundled = guard_reviews.bundled(SPACE)
    assert bundled is not None
    first = bundled.examples[0]
    assert side_effects._is_bundled(first.id, first.text, SPACE)
    assert not side_effects._is_bundled(first.id, review.text, SPACE)


def test_a_report_names_no_text_of_reviews_that_it_is_not_of(start: Start) -> None:
    app = start()
    correct(app)
    (correction,) = state_of(app).work.corrections
    assert correction.report is not None
    change = Change("guard-003", "food", "Negative", "Negative", "Positive", "broken")
    state_of(app).work.history.change(
        [replace(correction, report=replace(correction.report, changes=(change,)))]
    )
    app.run()

    def opens() -> list[str]:
        return [str(button.key) for button in app.button if str(button.key).startswith("open-")]

    assert opens()
    upload(app)
    assert not opens()
    assert html(app, "guard-003")  # by its name, without a text
    assert not html(app, "good soup")


def test_nothing_of_ones_own_guard_reviews_is_stored(start: Start, model_folder: Path) -> None:
    def stored() -> set[Path]:
        return {path for path in model_folder.rglob("*") if path.is_file()}

    app = start()
    upload(app)
    before = stored()
    correct(app)
    (correction,) = state_of(app).work.corrections
    assert correction.report is not None
    assert correction.report.reviews == 1
    assert stored() == before


def test_a_visitor_s_own_guard_reviews_are_no_profile_for_others(tmp_path: Path) -> None:
    base = make_tiny("bert", seed=7)  # of which no test has made a profile
    mine = guard_reviews.own(ROWS.encode(), "mine.csv", SPACE)
    theirs = guard_reviews.own(ROWS.replace("good", "bad").encode(), "theirs.csv", SPACE)
    profiles = [Guard(tmp_path, reviews, True).profile(base, lambda *_: None) for reviews in (mine, theirs)]
    assert [profile.data for profile in profiles] == [mine.fingerprint(), theirs.fingerprint()]
    assert not list(tmp_path.iterdir())


def test_two_who_measure_one_chain_make_one_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    points: list[ChainPoint] = []
    made = [ChainPoint(n, (), {}, 0.5, 0.5) for n in range(4)]
    running = 0

    def chain_points(*_: object) -> Iterator[ChainPoint]:
        nonlocal running
        running += 1
        first = running == 1
        for point in made:
            yield point
            if first and point.corrections == 1:
                measure()  # somebody else, meanwhile

    def measure() -> None:
        chain._measure(place, base, guard, [correction] * 3, points, ("chain",))

    monkeypatch.setattr("sparsecbm_core.evaluate.chain.chain_points", chain_points)
    monkeypatch.setattr("sparsecbm_core.evaluate.chain.reviews_of", lambda *_: ())
    bar = SimpleNamespace(progress=lambda *_: bar)
    place: Any = bar
    base: Any = SimpleNamespace(fingerprint="f" * 16)
    guard: Any = SimpleNamespace(baseline=lambda *_: object())
    correction: Any = SimpleNamespace(patch=SimpleNamespace(edit=None))
    measure()
    assert [point.corrections for point in points] == [0, 1, 2, 3]

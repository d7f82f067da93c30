"""The Corrections page: the chain of a session, and what is kept in the ledger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.scope import Signature
from sparsecbm_core.ledger import Ledger
from sparsecbm_core.models.concept_model import ConceptModel
from tests.app.conftest import EXPLAIN, Start, html, said
from tests.app.kept import (
    PAGE,
    a_patch,
    kept_numbers,
    opened,
    press,
    rows,
    state_of,
    unfolded,
)
from tests.ledger.made import patch_of, random_edit
from tests.tiny import make_tiny

REVIEW = "The soup was cold <b>and</b> we loved it."


def test_an_empty_ledger_says_how_to_make_the_first_correction(start: Start) -> None:
    app = start(page=PAGE)
    assert not app.exception
    assert [title.value for title in app.title] == ["Corrections"]
    assert "On Explain, choose another state" in html(app, "No correction is kept yet")
    assert "no correction is in use" in html(app, "as it was loaded")
    assert all(app.button(key=key).disabled for key in ("undo", "redo", "uncorrected"))
    assert not any(button.key == "measure" for button in app.button)


def test_kept_corrections_are_listed_newest_first_and_filtered(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    ledger.add(a_patch(tiny_model, 0, note="cold soup"))
    ledger.add(a_patch(tiny_model, 1, state="Positive", note="kind *waiter*"))
    ledger.add(a_patch(tiny_model, 2))
    ledger.revert(3)
    app = start(page=PAGE)
    labels = rows(app)
    assert [label.split(" · ")[0] for label in labels] == ["**3**", "**2**", "**1**"]
    assert "reverted" in labels[0]
    assert r"kind \*waiter\*" in labels[1]
    assert r"service\: Positive → Positive" in labels[1]
    assert "40 bits, 4 Mar 2026" in labels[1]
    app.selectbox(key="filter_concept").set_value("food").run()
    assert [label[:5] for label in rows(app)] == ["**1**"]
    assert "1 of 3 corrections, 2 active" in html(app, "2 active")
    app.button(key="show_all").click().run()
    app.text_input(key="filter_note").set_value("WAITER").run()
    assert [label[:5] for label in rows(app)] == ["**2**"]
    app.text_input(key="filter_note").set_value("").run()
    app.segmented_control(key="filter_status").set_value("reverted").run()
    assert [label[:5] for label in rows(app)] == ["**3**"]
    app.segmented_control(key="filter_status").set_value("all").run()
    app.selectbox(key="filter_state").set_value("Positive").run()
    assert [label[:5] for label in rows(app)] == ["**2**"]


def test_the_details_show_what_was_kept_and_the_review_only_where_it_was(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    tally = {"fixed": 2, "broken": 1, "accuracy_before": 0.5, "accuracy_after": 0.75}
    guard = {"reviews": 4, "concept": tally, "label": {**tally, "accuracy_after": 0.5}}
    ledger.add(a_patch(tiny_model, 0, guard=guard, text=None), text=REVIEW)
    ledger.add(a_patch(tiny_model, 1, guard={"reviews": "<b>"}, signature=Signature.of("soup")))
    app = opened(start(page=PAGE), "kept-1")
    facts = html(app, "<dl")
    assert "The soup was cold &lt;b&gt;and&lt;/b&gt;" in facts
    assert "food 2 fixed, 1 broken (50.0 % → 75.0 %); label 2 fixed, 1 broken; of 4 reviews" in facts
    assert "guarded, r = 0.002 %" in facts
    assert "every review" in facts
    state_of(app).work.ledger.open("kept-1", False)
    facts = html(opened(app, "kept-2"), "<dl")
    assert "Review</dt>" not in facts
    assert "not measured" in facts
    assert "only reviews close to the one corrected" in facts


def test_use_and_drop_change_this_session_and_no_other(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    for seed in range(3):
        ledger.add(a_patch(tiny_model, seed))
    app, other = start(page=PAGE), start(page=PAGE)
    press(app, "kept-2", "use-2")
    assert kept_numbers(app) == [2]
    assert said(app) == "1 correction is now in use in this session."
    assert "in use here" in rows(app)[1]
    app.button(key="use_all").click().run()
    assert kept_numbers(app) == [2, 1, 3]
    assert said(app) == "2 corrections are now in use in this session. 1 other was in use already."
    assert app.button(key="use_all").disabled
    assert [label.split(" · ")[0] for label in rows(app, "step")] == ["**1**", "**2**", "**3**"]
    assert kept_numbers(other.run()) == []
    press(app, "kept-2", "drop-2")
    assert kept_numbers(app) == [1, 3]
    app.button(key="undo").click().run()
    assert kept_numbers(app) == [2, 1, 3]
    app.button(key="redo").click().run()
    app.button(key="uncorrected").click().run()
    assert kept_numbers(app) == []
    assert [item.active for item in ledger.list()] == [True] * 3


def test_reverting_drops_it_here_too_and_restoring_does_not_use_it(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    ledger.add(a_patch(tiny_model, 0))
    ledger.add(a_patch(tiny_model, 1))
    app = start(page=PAGE)
    app.button(key="use_all").click().run()
    press(app, "kept-1", "revert-1")
    assert said(app) == (
        "Correction 1 is reverted. It was in use in this session and is dropped here as well."
    )
    assert kept_numbers(app) == [2]
    assert not ledger.get(1).active
    assert not any(button.key == "use-1" for button in opened(app, "kept-1").button)
    press(app, "kept-1", "restore-1")
    assert ledger.get(1).active
    assert kept_numbers(app) == [2]
    assert "in use here" not in rows(app)[1]
    # What was told is told once.
    assert said(app.run()) == ""


def test_reverting_one_that_a_later_one_overlaps_says_so_and_offers_to_redo_it(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    matrix = sorted(tiny_model.masks.shapes)[0]
    kept = tiny_model.masks.concept_bool(matrix, "food").reshape(-1)
    on, off = np.flatnonzero(kept)[:4], np.flatnonzero(~kept)[:4]
    first = MaskEdit({"food": {matrix: np.concatenate([on[:2], off[:2]])}})
    # Takes back a weight that the first had grown, and grows another.
    later = MaskEdit({"food": {matrix: np.concatenate([off[:1], off[3:4]])}})
    ledger.add(a_patch(tiny_model, 0, first))
    ledger.add(a_patch(tiny_model, 0, later), text=REVIEW)
    app = opened(start(page=PAGE), "kept-1")
    words = "Correction 2 came later and flips 1 mask bit of this one too. Reverting it "
    assert f"{words}leaves its subnetwork 2 weights larger: sparsity falls by" in html(app, words)
    press(app, "kept-1", "revert-1")
    assert "Correction 2 came later and share bits with it" in said(app)
    press(app, "kept-1", "redo-1-2")
    assert [item.active for item in ledger.list()] == [False, False]
    assert app.title[0].value == "Why this label?"
    assert app.text_area(key="review").value == REVIEW
    assert state_of(app).work.concept == "food"


def test_a_note_is_saved_and_the_other_visitor_sees_it(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    ledger.add(a_patch(tiny_model, 0, note="first"))
    app, other = start(page=PAGE), start(page=PAGE)
    opened(other, "kept-1")
    opened(app, "kept-1")
    field = next(area for area in app.text_area if area.label == "Note")
    field.set_value("second\nline & <b>")
    next(button for button in app.button if button.label == "Save the note").click().run()
    assert ledger.get(1).note == "second\nline & <b>"
    opened(other, "kept-1")
    assert [area.value for area in other.text_area] == ["second\nline & <b>"]
    assert r"second line \& \<b\>" in rows(other)[0]


def test_corrections_of_other_models_are_named_and_cannot_be_used(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    ledger.add(patch_of(random_edit(tiny_model, 0), model="f" * 16, note="last year's"))
    app = start(page=PAGE)
    assert "No correction is kept yet" in html(app, "No correction is kept yet")
    assert "1 correction of 1 other model" in [item.label for item in app.expander]
    table = html(unfolded(app, "other_models"), "ffffffffffffffff")
    assert "last year" in table
    assert not any(button.key == "use_all" for button in app.button)


def test_hundreds_come_twenty_at_a_time(start: Start, tiny_model: ConceptModel, ledger: Ledger) -> None:
    ledger.import_([a_patch(tiny_model, seed).to_bytes() for seed in range(45)])
    app = start(page=PAGE)
    assert [label[:6] for label in rows(app)][:2] == ["**45**", "**44**"]
    assert len(rows(app)) == 20
    assert "1–20 of 45" in html(app, "of 45")
    app.get("pagination")[0].set_value(3).run()
    assert [label[:5] for label in rows(app)] == [f"**{i}**" for i in range(5, 0, -1)]
    app.selectbox(key="filter_concept").set_value("food").run()
    assert state_of(app).work.ledger.page == 1
    assert len(rows(app)) == 15


def test_a_page_that_is_no_more_gives_way_to_the_last_one(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    ledger.import_([a_patch(tiny_model, seed).to_bytes() for seed in range(41)])
    app = start(page=PAGE)
    app.segmented_control(key="filter_status").set_value("active").run()
    app.get("pagination")[0].set_value(3).run()
    assert [label[:5] for label in rows(app)] == ["**1**"]
    press(app, "kept-1", "revert-1")
    assert not app.exception
    assert "21–40 of 40" in html(app, "of 40")
    assert app.get("pagination")[0].value == 2


def test_a_session_goes_on_where_the_ledger_cannot_be_opened(
    start: Start, tiny_model: ConceptModel, ledger: Ledger, ledger_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.add(a_patch(tiny_model, 0))
    app = start(page=PAGE)
    app.button(key="use_all").click().run()
    monkeypatch.setenv("SPARSECBM_LEDGER", str(ledger_file.parent))
    app.run()
    assert not app.exception
    (problem,) = app.error
    assert "Kept corrections cannot be shown" in problem.value
    assert "is a folder" in problem.value
    assert kept_numbers(app) == [1]
    app.button(key="undo").click().run()
    assert kept_numbers(app) == []


def test_a_ledger_that_refuses_to_be_written_changes_nothing(
    start: Start, tiny_model: ConceptModel, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparsecbm_core.errors import LedgerError

    def refuse(*_: object) -> None:
        raise LedgerError("the ledger /x is read-only; nothing was changed")

    ledger.add(a_patch(tiny_model, 0))
    app = start(page=PAGE)
    app.button(key="use_all").click().run()
    monkeypatch.setattr(Ledger, "revert", refuse)
    press(app, "kept-1", "revert-1")
    assert ["read\\-only" in error.value for error in app.error] == [True]
    assert ledger.get(1).active
    assert kept_numbers(app) == [1]


def test_a_dense_model_has_nothing_to_correct(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "dense"
    make_tiny("bert", density=None).save_pretrained(folder)
    app = start(folder=folder, page=PAGE)
    assert "This model is dense" in html(app, "This model is dense")
    assert not app.exception


def test_what_is_filtered_survives_a_visit_to_another_page(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    ledger.add(a_patch(tiny_model, 0))
    ledger.add(a_patch(tiny_model, 1))
    app = start(page=PAGE)
    app.selectbox(key="filter_concept").set_value("service").run()
    app.switch_page(EXPLAIN).run()
    app.switch_page(PAGE).run()
    assert app.selectbox(key="filter_concept").value == "service"
    assert [label[:5] for label in rows(app)] == ["**2**"]

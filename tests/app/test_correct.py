"""A concept corrected inside the model, on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.ledger import Ledger
from sparsecbm_core.models.concept_model import ConceptModel
from tests.app.conftest import Start, explain, html, pathway, said
from ui.resources import guard_reviews
from ui.state import AppState

TEXT = "The waiter was slow and the music too loud."


def state_of(app: AppTest) -> AppState:
    state: AppState = app.session_state["app_state"]
    return state


def found(app: AppTest, concept: str = "food") -> str:
    """The state that the model finds, by its name."""
    picture: Any = pathway(app)
    row = next(row for row in picture["concepts"] if row["name"] == concept)
    title = next(state["title"] for state in row["states"] if state["on"])
    return "unknown" if title == "Not mentioned" else str(title)


def other(app: AppTest, concept: str = "food") -> str:
    return next(name for name in ("Negative", "Positive") if name != found(app, concept))


def correct(app: AppTest, concept: str = "food") -> str:
    """Press another state of a concept; the state that was asked for."""
    wanted = other(app, concept)
    app.pills(key=f"state-{concept}").set_value(wanted).run()
    assert not app.exception
    return wanted


def test_every_concept_is_a_group_of_its_own_name_with_the_model_s_state_chosen(start: Start) -> None:
    app = start()
    for concept in ("food", "service", "noise"):
        group = app.pills(key=f"state-{concept}")
        assert group.label == concept
        assert group.value == found(app, concept)
        marked = [option for option in group.options if ":gray-badge[model" in option]
        assert len(marked) == 1


def test_another_state_corrects_the_model_and_the_whole_page_follows(start: Start) -> None:
    app = start()
    before = pathway(app)
    wanted = correct(app)
    assert found(app) == wanted
    assert app.pills(key="state-food").value == wanted
    assert pathway(app) != before
    assert pathway(app)["selected"] == "food"
    table = html(app, "Before and after the correction")
    assert "<strong>right</strong>" in table
    assert "wrong again" in table
    (correction,) = state_of(app).work.corrections
    assert correction.intervention is not None
    assert correction.intervention.dropped == correction.intervention.grown > 0
    assert f"{correction.intervention.dropped:,} dropped, {correction.intervention.grown:,} grown" in table
    assert "food is now read as" in said(app)
    # The loaded model is still what it was: another visitor sees it uncorrected.
    assert found(start()) != wanted


def test_the_guard_report_counts_every_reading_and_lists_what_changed(start: Start) -> None:
    app = start()
    correct(app)
    (correction,) = state_of(app).work.corrections
    report = correction.report
    assert report is not None
    assert (report.reviews, report.concept.total, report.other_concepts.total) == (12, 12, 24)
    table = html(app, "Guard reviews before and after")
    assert f"{report.concept.unchanged} of 12" in table
    listed = [button for button in app.button if button.key and button.key.startswith("open-")]
    assert len(listed) == min(8, len(report.changes))
    if listed:
        listed[0].click().run()
        assert state_of(app).work.example in {change.review for change in report.changes}
        assert html(app, "made on another review")


def test_a_second_report_begins_where_the_first_correction_left_off(start: Start, model_folder: Path) -> None:
    from sparsecbm_core.intervene.guard import GuardBaseline
    from sparsecbm_core.intervene.in_force import corrected_model

    app = start()
    correct(app)
    correct(app, "noise")
    explain(app, TEXT)
    correct(app)
    model = ConceptModel.from_pretrained(model_folder, "cpu")
    reviews = guard_reviews.bundled(model.space)
    assert reviews is not None
    for correction in state_of(app).work.corrections:
        after = corrected_model(model, correction.patch.edit)
        exact = GuardBaseline.read(model, reviews).compare(
            GuardBaseline.read(after, reviews), (correction.patch.concept,)
        )
        assert correction.report == exact
        model = after


def test_undo_redo_and_the_model_as_loaded(start: Start) -> None:
    app = start()
    was = found(app)
    assert app.button(key="undo").disabled
    assert app.button(key="redo").disabled
    wanted = correct(app)
    app.button(key="undo").click().run()
    assert (found(app), bool(html(app, "Before and after the correction"))) == (was, False)
    app.button(key="redo").click().run()
    assert found(app) == wanted
    app.button(key="uncorrected").click().run()
    assert found(app) == was
    app.button(key="undo").click().run()
    assert found(app) == wanted


def test_a_correction_stays_when_the_text_changes_and_comes_back_with_it(start: Start) -> None:
    app = start()
    text = state_of(app).work.text
    wanted = correct(app)
    explain(app, TEXT)
    assert html(app, "made on another review")
    app.button(key="back_to_review").click().run()
    assert state_of(app).work.text == text
    assert found(app) == wanted
    assert "corrected" in " ".join(app.pills(key="state-food").options)


def test_a_correction_that_breaks_too_much_asks_first(start: Start) -> None:
    app = start()
    was = found(app)
    app.selectbox(key="rule_choice").set_value("signed").run()
    state_of(app).work.settings = type(state_of(app).work.settings)(rule="signed", most_broken=-1)
    app.run()
    app.pills(key="state-food").set_value(other(app)).run()
    assert html(app, "This would break")
    assert found(app) == was
    assert state_of(app).work.corrections == ()
    app.button(key="leave").click().run()
    assert not html(app, "This would break")
    wanted = other(app)
    app.pills(key="state-food").set_value(wanted).run()
    app.button(key="take_over").click().run()
    assert found(app) == wanted


def test_what_a_first_way_did_makes_room_for_the_gentler_one(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparsecbm_core.session.attempt.TOLERATED", -1)
    app = start()
    wanted = correct(app)
    assert found(app) == wanted
    bodies = [part.proto.body for part in app.get("html")]
    assert sum("Before and after the correction" in body for body in bodies) == 1
    assert sum("Guard reviews before and after" in body for body in bodies) == 1


def test_a_correction_for_similar_reviews_leaves_all_others_alone(start: Start) -> None:
    app, text = start(), "Grandfather adored every walnut dumpling beneath that chandelier."
    explain(app, text)
    was, elsewhere = found(app), pathway(explain(app, "Good meal, friendly cook."))
    app.segmented_control(key="scope_choice").set_value("similar").run()
    explain(app, text)
    wanted = correct(app)
    assert wanted != was
    assert html(app, "Nothing else: all 12 guard reviews are read as before")
    assert not html(app, "not meant for this review")
    assert pathway(explain(app, "Good meal, friendly cook."))["concepts"] == elsewhere["concepts"]
    assert html(app, "1 not meant for this review")
    explain(app, f"{text} Really.")
    (correction,) = state_of(app).work.corrections
    assert correction.patch.scope == "similar"
    assert not html(app, "not meant for this review")
    explain(app, text)
    assert found(app) == wanted


def test_a_guard_review_corrected_for_similar_ones_is_counted_as_fixed_or_broken(
    start: Start, guard_file: Path
) -> None:
    app = start()
    first = guard_file.read_text(encoding="utf-8").splitlines()[1].split(",")[0]
    app.segmented_control(key="scope_choice").set_value("similar").run()
    explain(app, first)
    correct(app)
    report = state_of(app).work.corrections[0].report
    assert report is not None
    assert report.concept.unchanged < 12


def test_what_cannot_be_reached_is_said_and_changes_nothing(start: Start) -> None:
    app = start()
    was = found(app)
    app.selectbox(key="rule_choice").set_value("random").run()
    app.segmented_control(key="r_auto").set_value(False).run()
    app.number_input(key="r_share").set_value(0.0001).run()
    app.pills(key="state-food").set_value(other(app)).run()
    assert html(app, "Not reached: food is still read as")
    assert found(app) == was
    assert state_of(app).work.corrections == ()


@pytest.mark.parametrize("with_text", [False, True])
def test_keep_puts_the_correction_into_the_ledger(start: Start, ledger_file: Path, with_text: bool) -> None:
    app = start()
    text, wanted = state_of(app).work.text, correct(app)
    app.text_input(key=keyed(app, "keep_note")).set_value("cold soup is bad food")
    app.checkbox(key="keep_text").set_value(with_text)
    app.button(key="keep_submit").click().run()
    with Ledger.open(ledger_file) as ledger:
        (correction,) = ledger.list()
    assert (correction.concept, correction.state) == ("food", wanted)
    assert correction.note == "cold soup is bad food"
    assert correction.text == (text if with_text else None)
    assert state_of(app).work.corrections[0].kept == correction.id
    # A new visitor gets it only on demand.
    fresh = start()
    assert found(fresh) != wanted
    fresh.button(key="use_kept").click().run()
    assert found(fresh) == wanted
    assert "all kept" in html(fresh, "The model with 1 correction")


def keyed(app: AppTest, what: str, number: int = 0) -> str:
    """The key of the field ``what`` of a session's correction."""
    return f"{what}-{state_of(app).work.corrections[number].fingerprint}"


def test_what_is_ticked_is_kept_each_with_its_note(start: Start, ledger_file: Path) -> None:
    app = start()
    correct(app)
    explain(app, "Good meal, friendly cook.")
    correct(app, "noise")
    first, second = (app.checkbox(key=keyed(app, "keep", number)) for number in (0, 1))
    assert (first.value, second.value) == (False, True)  # the first is of another review
    app.text_input(key=keyed(app, "keep_note", 1)).set_value("a loud place")
    app.button(key="keep_submit").click().run()
    with Ledger.open(ledger_file) as ledger:
        assert [(item.concept, item.note) for item in ledger.list()] == [("noise", "a loud place")]
    assert "1 not kept yet" in html(app, "The model with 2 corrections")


def test_nothing_ticked_keeps_nothing_and_says_so(start: Start, ledger_file: Path) -> None:
    app = start()
    correct(app)
    correct(app, "noise")
    for number in (0, 1):
        app.checkbox(key=keyed(app, "keep", number)).set_value(False)
    app.button(key="keep_submit").click().run()
    assert any("Tick what is to be kept" in error.value for error in app.error)


def test_undo_says_what_was_undone_and_what_holds(start: Start) -> None:
    app = start()
    was, wanted = found(app), correct(app)
    explain(app, "Good meal, friendly cook.")
    correct(app, "noise")
    app.button(key="undo").click().run()
    text = html(app, "Undone: noise")
    assert text
    assert not html(app, "is now read as")
    assert f"Still in use: food: {was} → {wanted}, in “" in html(app, "Still in use")
    assert "Undone: noise" in said(app)
    app.button(key="redo").click().run()
    assert "Done again: noise" in said(app)
    app.button(key="uncorrected").click().run()
    assert "The model is as it was loaded." in said(app)


def test_a_ledger_that_cannot_be_written_says_so_and_loses_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = start()
    wanted = correct(app)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SPARSECBM_LEDGER", str(tmp_path / "file" / "ledger.sqlite3"))
    app.button(key="keep_submit").click().run()
    assert any("was not kept" in error.value for error in app.error)
    assert found(app) == wanted
    assert state_of(app).work.corrections[0].kept is None


def test_the_patch_to_save_is_of_the_loaded_model(start: Start, model_folder: Path) -> None:

    app = start()
    correct(app)
    correct(app, "noise")
    loaded = ConceptModel.from_pretrained(model_folder, "cpu")
    for correction in state_of(app).work.corrections:
        Patch.from_bytes(correction.patch.to_bytes()).check(loaded)


def test_guard_reviews_of_ones_own_replace_the_bundled_ones(start: Start) -> None:
    app = start()
    rows = "text,label,food,service,noise\ngood soup,4,Positive,unknown,unknown\n"
    app.file_uploader(key="guard_file").set_value(("mine.csv", rows.encode(), "text/csv")).run()
    correct(app)
    report = state_of(app).work.corrections[0].report
    assert report is not None
    assert (report.reviews, report.data) == (1, "mine.csv guard")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("", "empty"),
        ("text,label,food,service,noise\n", "no data rows"),
        ("text,food\ngood,Positive\n", "label"),
        ("text,label,food,service,noise\ngood,9,Positive,unknown,unknown\n", "9"),
    ],
)
def test_guard_reviews_that_cannot_be_used_are_refused_in_one_line(
    start: Start, rows: str, says: str
) -> None:
    app = start()
    app.file_uploader(key="guard_file").set_value(("mine.csv", rows.encode(), "text/csv")).run()
    assert not app.exception
    (message,) = [error.value for error in app.error]
    assert says in message.replace("\\", "")
    assert "\n" not in message
    correct(app)
    report = state_of(app).work.corrections[0].report
    assert report is not None
    assert report.reviews == 12

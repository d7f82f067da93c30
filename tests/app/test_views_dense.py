"""The dense model beside a sparse one, as the Three views page takes it: there, missing, unfit or alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsecbm_core.concepts import ConceptSpace
from tests.app.conftest import THREE_VIEWS, Start, chart, dense
from tests.app.views import HEADS, heads, lines, reviews
from tests.tiny import make_tiny
from ui.three_views.companion import note


def test_without_a_dense_model_the_page_says_how_to_get_one(start: Start, model_folder: Path) -> None:
    app = start(page=THREE_VIEWS)
    assert not app.exception
    assert not app.error
    assert heads(app) == HEADS
    assert lines(app).count("There is no dense model beside this one.") == 2
    commands = [code.value for code in app.code]
    assert commands == [f"cp -r runs/dense/model {model_folder / 'dense'}"] * 2
    assert len(reviews(app)) == 1
    assert chart(app, "contributions-sparse")
    assert "Without a dense model there is no attention" in lines(app)


@pytest.mark.parametrize("how", ["damaged", "no config", "sparse", "other concepts"])
def test_a_dense_model_that_cannot_be_used_is_one_line_and_the_pathway_stays(
    start: Start, copy: Path, how: str
) -> None:
    folder = copy / "dense"
    if how == "damaged":
        (folder / "model.safetensors").write_bytes(b"\x00" * 64)
    elif how == "no config":
        (folder / "config.json").unlink()
    elif how == "sparse":
        make_tiny("bert").save_pretrained(folder)
    else:
        space = ConceptSpace(("acting",), ("Negative", "Positive", "unknown"), ("1", "2"))
        make_tiny("bert", density=None, space=space).save_pretrained(folder)
    app = start(copy, page=THREE_VIEWS)
    assert not app.exception
    assert not app.error
    said_why = {
        "damaged": "is damaged",
        "no config": "config.json is missing",
        "sparse": "holds a model of kind 'sparse'",
        "other concepts": "is a model of other concepts, states or labels: acting",
    }
    assert lines(app).count("The dense model beside this one cannot be used.") == 2
    assert said_why[how] in lines(app)
    assert not app.code
    assert len(reviews(app)) == 1


def test_a_dense_model_of_another_run_is_shown_with_a_word_of_caution(start: Start, copy: Path) -> None:
    other = make_tiny("bert", seed=1, density=None)
    other.save_pretrained(copy / "dense")
    app = start(copy, page=THREE_VIEWS)
    assert not app.exception
    assert "is another one than the subnetworks were cut from" in lines(app)
    assert len(reviews(app)) == 2


def test_what_is_said_of_where_the_dense_model_is_from() -> None:
    assert note({"init": {"fingerprint": "a"}}, "a") is None
    assert "(b) is another one than the subnetworks were cut from (a)" in str(
        note({"init": {"fingerprint": "a"}}, "b")
    )
    run = {"data": "CEBaB", "settings": {"seed": 0}}
    again = str(note({"init": {**run, "fingerprint": "a"}}, "b", run))
    assert "with the same settings as the one that the subnetworks were cut from (a), in another run" in again
    for other in ({**run, "settings": {"seed": 1}}, {**run, "data": "IMDB-C"}, {}):
        assert "is another one" in str(note({"init": {**run, "fingerprint": "a"}}, "b", other))
    for training in ({}, {"init": None}, {"init": {}}):
        assert "does not say which dense model" in str(note(training, "a"))


def test_a_dense_model_alone_has_no_pathway(start: Start, tmp_path: Path) -> None:
    dense().save_pretrained(tmp_path / "alone")
    app = start(tmp_path / "alone", page=THREE_VIEWS)
    assert not app.exception
    assert not app.error
    assert heads(app) == HEADS
    assert len(reviews(app)) == 1
    assert "There is no subnetwork to follow" in lines(app)
    assert "A dense model has no pathway" in lines(app)
    assert "disagree" not in lines(app)

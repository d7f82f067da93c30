"""IMDB-C files: both sources, spelling slips, HTML, missing files."""

from __future__ import annotations

import csv

import pytest

from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS
from sparsecbm_core.data import load_imdb
from sparsecbm_core.errors import DataError, SettingsError

HEADER = ["review", "sentiment", *IMDB_ALL_CONCEPTS]


def line(review="A film.", sentiment="Positive", **states):
    return [review, sentiment, *(states.get(name.split()[0], "unknown") for name in IMDB_ALL_CONCEPTS)]


def write(folder, kind, rows, split="train", header=HEADER):
    with (folder / f"IMDB-{split}-{kind}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return folder


def test_both_sources_manual_first(tmp_path):
    write(tmp_path, "generated", [line("Made by a machine.", "Negative", acting="Negative")])
    write(tmp_path, "manual", [line("One."), line("Two.", cinematography="Positive", editing="Negative")])
    data = load_imdb(tmp_path, "train")
    assert data.space.concepts == ("acting", "storyline", "emotional arousal", "cinematography")
    assert data.space.labels == ("Negative", "Positive")
    assert data.texts == ["One.", "Two.", "Made by a machine."]
    assert [example.label for example in data] == [1, 1, 0]
    assert [example.concepts for example in data] == [(2, 2, 2, 2), (2, 2, 2, 1), (0, 2, 2, 2)]
    assert [example.id for example in data] == ["train-manual-1", "train-manual-2", "train-generated-1"]
    assert data.report.files == ("IMDB-train-manual.csv", "IMDB-train-generated.csv")
    assert (data.report.rows_read, data.report.rows_kept, data.report.dropped) == (3, 3, {})


def test_one_source_needs_only_its_file(tmp_path):
    write(tmp_path, "manual", [line("Mine.")], split="test")
    data = load_imdb(str(tmp_path), "test", source="manual")
    assert (data.name, data.texts) == ("IMDB-C manual", ["Mine."])
    with pytest.raises(DataError, match=r"missing IMDB-test-generated\.csv; .*: IMDB-test-manual\.csv$"):
        load_imdb(tmp_path, "test")


def test_concepts_are_chosen_by_name_and_order(tmp_path):
    write(tmp_path, "manual", [line(editing="Negative", background="Positive", acting="Positive")])
    data = load_imdb(tmp_path, "train", ["editing", "background setting"], "manual")
    assert data.space.concepts == ("editing", "background setting")
    assert data.examples[0].concepts == (0, 1)
    assert data.report.concept_counts == {
        "editing": {"Negative": 1, "Positive": 0, "unknown": 0},
        "background setting": {"Negative": 0, "Positive": 1, "unknown": 0},
    }


@pytest.mark.parametrize(
    ("typed", "state"),
    [
        ("Negative ", 0),
        ("negative", 0),
        ("\tPOSITIVE", 1),
        ("Postive", 1),
        ("Posiitve", 1),
        ("Unkown", 2),
        (" unkown ", 2),
        ("Unknwon", 2),
        ("unknowns", 2),
        ("", 2),
    ],
)
def test_hand_typed_states(tmp_path, typed, state):
    write(tmp_path, "manual", [line(acting=typed)])
    assert load_imdb(tmp_path, "train", source="manual").examples[0].concepts[0] == state


@pytest.mark.parametrize("typed", ["Neutral", "Pos", "N", "no", "Unkonwm", "Positive/Negative", "1"])
def test_states_that_are_no_slip_are_refused(tmp_path, typed):
    folder = write(tmp_path, "manual", [line(), line(emotional=typed)])
    with pytest.raises(DataError) as caught:
        load_imdb(folder, "train", source="manual")
    text = str(caught.value)
    assert (
        f"{folder / 'IMDB-train-manual.csv'}, data row 2 (counted from 1), column 'emotional arousal'" in text
    )
    assert f"{typed!r}; choose one of: Negative, Positive, unknown, (empty)" in text


@pytest.mark.parametrize("typed", ["unknown", "Unkown", "mixed"])
def test_sentiment_is_never_unknown(tmp_path, typed):
    write(tmp_path, "manual", [line(sentiment=typed)])
    with pytest.raises(DataError, match=rf"'sentiment'.*'{typed}'; choose one of: Negative, Positive$"):
        load_imdb(tmp_path, "train", source="manual")


def test_rows_without_label_or_text_are_dropped_and_counted(tmp_path):
    rows = [
        line("", acting="Positive"),
        line("<br /> <br>"),
        line(sentiment=" "),
        line("Kept."),
        line("", ""),
    ]
    report = load_imdb(write(tmp_path, "manual", rows), "train", source="manual").report
    assert (report.rows_read, report.rows_kept) == (5, 1)
    assert report.dropped == {"empty text": 2, "empty label": 2}
    assert report.concept_counts["acting"] == {"Negative": 0, "Positive": 1, "unknown": 4}


@pytest.mark.parametrize(
    ("review", "text"),
    [
        ("One.<br /><br />Two.", "One. Two."),
        ("One. <BR/> Two.<br>", "One. Two."),
        ("a < b, <b>bold</b>,\nnext  line", "a < b, <b>bold</b>,\nnext  line"),
    ],
)
def test_line_breaks_become_one_space(tmp_path, review, text):
    write(tmp_path, "manual", [line(review)])
    assert load_imdb(tmp_path, "train", source="manual").texts == [text]


def test_missing_column_and_folder(tmp_path):
    write(tmp_path, "manual", [["x", "Positive"]], header=["review", "sentiment"])
    with pytest.raises(DataError, match=r"missing column.* acting, storyline.*; present: review, sentiment"):
        load_imdb(tmp_path, "train", source="manual")
    with pytest.raises(DataError, match="no such folder"):
        load_imdb(tmp_path / "nowhere", "train")
    with pytest.raises(DataError, match=r"IMDB-dev-manual\.csv and IMDB-dev-generated\.csv"):
        load_imdb(tmp_path, "dev")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "human"}, "'human'; choose one of: both, manual, generated"),
        ({"concepts": ("acting", "plot")}, "'plot'; choose one of: acting"),
        ({"concepts": "acting"}, "must be a list of names"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    with pytest.raises(SettingsError, match=message):
        load_imdb(tmp_path, "train", **arguments)

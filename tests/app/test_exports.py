"""Files that people take away."""

from __future__ import annotations

import csv
import io
import json

import pytest

from sparsecbm_core.explain.schema import load_explanation
from sparsecbm_core.explain.subnetworks import subnetwork_stats
from tests.app.made import SPACE, made
from tests.tiny import make_tiny
from ui.widgets.exports import contribution_rows, csv_bytes, csv_text, json_text, pathway_rows, word_rows
from ui.widgets.subnetworks import matrix_rows, shared_rows


def test_contributions_add_up_to_the_score_in_every_column() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(contribution_rows(made(), SPACE)))))
    for label in SPACE.labels:
        for column in ("contribution_vs_average", "contribution_from_zero"):
            of_label = [row for row in rows if row["label"] == label]
            score = next(float(row[column]) for row in of_label if row["concept"] == "(score)")
            terms = [float(row[column]) for row in of_label if row["concept"] != "(score)"]
            assert sum(terms) == pytest.approx(score, abs=1e-9)


def test_words_keep_full_precision_and_their_place() -> None:
    rows = word_rows(made(text="cold soup", scores=(1 / 3, -0.5)))
    assert [(row["concept"], row["start"], row["end"], row["word"]) for row in rows[:2]] == [
        ("food", 0, 4, "cold"),
        ("food", 5, 9, "soup"),
    ]
    assert float(next(csv.DictReader(io.StringIO(csv_text(rows))))["score"]) == 1 / 3


@pytest.mark.parametrize("word", ["=HYPERLINK(1)", "+1", "-1", "@x"])
def test_a_word_that_a_spreadsheet_would_run_is_disarmed(word: str) -> None:
    assert csv_text([{"word": word}]) == f"word\n'{word}\n"


def test_numbers_and_single_signs_stay_as_they_are() -> None:
    assert csv_text([{"word": "-", "score": -1.5}]) == "word,score\n-,-1.5\n"
    assert csv_text([]) == ""


def test_the_json_file_can_be_loaded_again() -> None:
    explanation = made(text="good 😀", scores=(1.0, 2.0))
    assert load_explanation(json.loads(json_text(explanation.to_dict()))) == explanation


def test_files_say_to_excel_that_they_are_utf_8() -> None:
    data = csv_bytes([{"word": "😀"}])
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.decode("utf-8-sig") == "word\n😀\n"


def test_the_pathway_has_every_state_and_label_and_what_gave_them() -> None:
    explanation = made(text="good", scores=(1.0,))
    rows = pathway_rows(explanation, SPACE)
    assert [(row["name"], row["value"]) for row in rows] == [
        *((concept, state) for concept in SPACE.concepts for state in SPACE.states),
        ("label", "bad"),
        ("label", "good"),
    ]
    assert rows[1]["probability"] == explanation.concepts["food"].probabilities["Positive"]
    assert rows[-1]["probability"] == explanation.probabilities["good"]
    origins = {(row["model"], row["fingerprint"], row["method"]) for row in rows}
    assert origins == {("made", "0" * 16, "integrated_gradients")}


def test_subnetwork_files_hold_full_numbers_and_no_totals() -> None:
    model = make_tiny("bert")
    assert model.masks is not None
    stats = subnetwork_stats(model.masks, model.cbm.matrices)
    own = stats.concepts["food"]
    rows = matrix_rows(own)
    assert (len(rows), sum(row["used"] for row in rows)) == (len(own.matrices), own.kept)
    assert [row["share"] for row in rows] == [matrix.density for matrix in own.matrices]
    shares = [row["share"] for row in shared_rows(stats)]
    assert shares == [count / stats.total for count in stats.shared_by]
    assert json.loads(json_text(stats.to_dict()))["total"] == stats.total

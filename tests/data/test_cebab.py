"""CEBaB rows: what is kept, dropped, mapped, refused."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.data import load_cebab, load_cebab_hub
from sparsecbm_core.errors import DataError


def test_reads_rows_in_file_order_with_all_their_columns(write_split, make_row):
    edit = make_row(
        id="000007_000002",
        is_original=False,
        edit_type="service",
        edit_goal="Positive",
        description="Warm soup, quick waiter.",
        review_majority="5",
        food_aspect_majority="Negative",
        service_aspect_majority="Positive",
        service_aspect_label_distribution={"Positive": 3, "unknown": 2},
    )
    data = load_cebab(write_split([make_row(), edit]), "dev")

    assert (data.name, data.split, data.space) == ("CEBaB", "dev", CEBAB)
    assert data.texts == ["Warm soup, slow waiter.", "Warm soup, quick waiter."]
    original, second = data.examples
    assert (original.label, original.group, original.edit_concept, original.edit_goal) == (
        2,
        "000007",
        None,
        None,
    )
    assert (second.id, second.label, second.group) == ("000007_000002", 4, "000007")
    assert (second.edit_concept, second.edit_goal) == ("service", "Positive")
    # food, ambiance, service, noise as Negative 0, Positive 1, unknown 2
    assert second.concepts == (0, 2, 1, 2)
    assert second.votes is not None
    assert second.votes[2] == pytest.approx((0.0, 0.6, 0.4))
    assert second.votes[3] == (0.0, 0.0, 1.0)


def test_originals_have_no_edit_even_where_the_file_names_one(write_split, make_row):
    data = load_cebab(write_split([make_row(edit_type="food", edit_goal="Negative")]), "dev")
    assert (data.examples[0].edit_concept, data.examples[0].edit_goal) == (None, None)


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        ("Positive", "Positive"),
        (" negative ", "Negative"),
        ("UNKNOWN", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
        ("no majority", "unknown"),
        ("No  Majority ", "unknown"),
    ],
)
def test_aspect_states(write_split, make_row, cell, state):
    data = load_cebab(write_split([make_row(noise_aspect_majority=cell)]), "dev")
    assert CEBAB.states[data.examples[0].concepts[3]] == state


@pytest.mark.parametrize(
    ("votes", "shares"),
    [
        ({"Negative": 1, "Positive": 1, "unknown": 2}, (0.25, 0.25, 0.5)),
        ({"negative ": 4}, (1, 0, 0)),
        ({"Positive": 5, "Negative": None}, (0, 1, 0)),
        ({}, (0, 0, 1)),
        (None, (0, 0, 1)),
        ({"Positive": 0}, (0, 0, 1)),
        ("{'Positive': 3, 'Negative': 1}", (0.25, 0.75, 0)),
        ('{"unknown": 1, "Negative": 1}', (0.5, 0, 0.5)),
    ],
)
def test_votes_become_shares(write_split, make_row, votes, shares):
    data = load_cebab(write_split([make_row(food_aspect_label_distribution=votes)]), "dev")
    assert data.examples[0].votes is not None
    assert data.examples[0].votes[0] == pytest.approx(shares)


def test_dropped_rows_are_counted_by_reason_and_still_count_as_concepts(write_split, make_row):
    rows = [
        make_row(id="1", food_aspect_majority="Positive"),
        make_row(id="2", review_majority="no majority", food_aspect_majority="Positive"),
        make_row(id="3", review_majority=" No Majority", food_aspect_majority="Negative"),
        make_row(id="4", review_majority=""),
        make_row(id="5", review_majority=None),
        make_row(id="6", description=" \n"),
        make_row(id="7", review_majority=1),
    ]
    data = load_cebab(write_split(rows), "dev")

    assert [(example.id, example.label) for example in data] == [("1", 2), ("7", 0)]
    report = data.report
    assert (report.files, report.rows_read, report.rows_kept) == (("dev.json",), 7, 2)
    assert report.dropped == {"no majority label": 2, "empty label": 2, "empty text": 1}
    assert report.concept_counts["food"] == {"Negative": 1, "Positive": 2, "unknown": 4}
    assert report.concept_counts["noise"] == {"Negative": 0, "Positive": 0, "unknown": 7}


def test_any_file_stem_is_a_split_and_a_missing_one_lists_them(write_split, make_row):
    write_split([make_row()], "train_exclusive")
    folder = write_split([make_row(), make_row()], "test")
    (folder / "._test.json").write_bytes(b"\x00")
    assert len(load_cebab(str(folder), "test")) == 2
    with pytest.raises(DataError, match=r"unknown CEBaB split 'train'.*: test, train_exclusive$"):
        load_cebab(folder, "train")
    assert len(load_cebab(write_split([make_row()], "train"), "train")) == 1


@pytest.mark.parametrize("split", ["../dev", "dev.json", ""])
def test_a_split_is_no_path(write_split, make_row, split):
    folder = write_split([make_row()])
    (folder / "inner").mkdir()
    with pytest.raises(DataError, match="unknown CEBaB split"):
        load_cebab(folder / "inner" / ".." if split == "" else folder, split)


def test_missing_folder_and_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        load_cebab(tmp_path / "nowhere", "dev")
    with pytest.raises(DataError, match=r"no \.json file here"):
        load_cebab(tmp_path, "dev")


def test_json_lines_and_byte_order_mark(tmp_path, make_row):
    # U+2028 is a line separator to str.splitlines, but plain text to JSON.
    rows = [make_row(description="one\u2028two"), make_row(description="Café 🍜")]
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "dev.json").write_text("\ufeff" + lines + "\n", encoding="utf-8")
    (tmp_path / "one.json").write_text(json.dumps(rows[1], indent=1), encoding="utf-8")
    assert load_cebab(tmp_path, "dev").texts == ["one\u2028two", "Café 🍜"]
    assert load_cebab(tmp_path, "one").texts == ["Café 🍜"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b" \n", "empty file"),
        (b"[]", "holds no rows"),
        (b'[{"id": "1", "desc', "damaged or truncated JSON"),
        (b"[" * 100_000, "damaged or truncated JSON"),
        (b'{"id": "1"}\n{"id": "2', "line 2: damaged or truncated JSON"),
        (b'{"data": []}', "one dict"),
        (b'"text"', "one str"),
        (b"[1]", r"data row 1 \(counted from 1\): an object expected, got int"),
        (b'["\xff"]', r"not UTF-8 text \(byte 0xff at position 2\)"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    (tmp_path / "dev.json").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_cebab(tmp_path, "dev")
    assert str(tmp_path / "dev.json") in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("review_majority", "6", "unknown value '6'; choose one of: 1, 2, 3, 4, 5, no majority"),
        ("review_majority", 3.5, "unknown value 3.5; choose one of: 1, 2, 3, 4, 5, no majority"),
        ("review_majority", True, "unknown value True"),
        ("food_aspect_majority", "good", "'good'; choose one of: Negative, Positive, unknown"),
        ("food_aspect_majority", 1, "text expected, got int 1"),
        ("description", None, "text expected, got NoneType"),
        ("description", ["a"], "text expected, got list"),
        ("noise_aspect_label_distribution", {"no majority": 2}, "unknown value 'no majority'; choose one of"),
        ("noise_aspect_label_distribution", {"Positive": -1}, "-1 votes for 'Positive'"),
        ("noise_aspect_label_distribution", {"Positive": "3"}, "'3' votes for 'Positive'"),
        ("noise_aspect_label_distribution", {"Positive": True}, "True votes for 'Positive'"),
        ("noise_aspect_label_distribution", {"Positive": float("nan")}, "nan votes for 'Positive'"),
        ("noise_aspect_label_distribution", "three", "unknown value 'three'"),
        ("noise_aspect_label_distribution", "[1]", "counts by state expected, got list"),
        ("noise_aspect_label_distribution", 3, "counts by state expected, got int"),
        ("is_original", "maybe", "unknown value 'maybe'; choose one of: true, false"),
        ("edit_type", "price", "unknown value 'price'; choose one of: food, ambiance, service, noise"),
        ("edit_goal", "better", "unknown value 'better'; choose one of: Negative, Positive, unknown"),
        ("id", "", "an id is needed"),
        ("original_id", None, "text expected"),
    ],
)
def test_a_bad_value_names_its_place_and_what_is_allowed(write_split, make_row, column, value, message):
    folder = write_split([make_row(), make_row(**{column: value})])
    with pytest.raises(DataError) as caught:
        load_cebab(folder, "dev")
    text = str(caught.value)
    assert text.startswith(f"{folder / 'dev.json'}, data row 2 (counted from 1), column '{column}': ")
    assert message in text


@pytest.mark.parametrize(
    "column",
    [
        "id",
        "original_id",
        "is_original",
        "edit_type",
        "edit_goal",
        "description",
        "review_majority",
        "service_aspect_majority",
        "service_aspect_label_distribution",
    ],
)
def test_a_missing_key_is_named(write_split, make_row, column):
    row = make_row()
    del row[column]
    with pytest.raises(DataError, match=rf"data row 1 .*column '{column}': missing; the row has: "):
        load_cebab(write_split([row]), "dev")


def test_a_long_bad_value_is_shortened(write_split, make_row):
    with pytest.raises(DataError) as caught:
        load_cebab(write_split([make_row(food_aspect_majority="x" * 5000)]), "dev")
    assert len(str(caught.value)) < 500


def test_hub_rows_are_read_by_the_same_rules(monkeypatch, make_row):
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        return iter(
            [
                make_row(review_majority="no majority"),
                # The hub's table holds counts as text and flags in words.
                make_row(
                    is_original="False",
                    edit_type="food",
                    edit_goal="unknown",
                    food_aspect_label_distribution="{'Positive': 4, 'unknown': 1}",
                ),
            ]
        )

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    data = load_cebab_hub("dev")
    assert asked == [("CEBaB/CEBaB", "validation")]
    assert (data.split, data.report.files, data.report.rows_read) == ("dev", ("CEBaB/CEBaB:validation",), 2)
    assert data.report.dropped == {"no majority label": 1}
    (example,) = data.examples
    assert (example.edit_concept, example.edit_goal) == ("food", "unknown")
    assert example.votes is not None
    assert example.votes[0] == pytest.approx((0, 0.8, 0.2))

    load_cebab_hub("train_inclusive")
    assert asked[-1] == ("CEBaB/CEBaB", "train_inclusive")


def test_hub_failures_are_data_errors(monkeypatch, make_row):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="pip install datasets"):
        load_cebab_hub("test")

    def fail(name, split):
        raise RuntimeError("unknown split")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=fail))
    with pytest.raises(
        DataError, match="CEBaB/CEBaB:nosuch could not be loaded: RuntimeError: unknown split"
    ):
        load_cebab_hub("nosuch")

    bad = SimpleNamespace(load_dataset=lambda name, split: [make_row(noise_aspect_majority="loud")])
    monkeypatch.setitem(sys.modules, "datasets", bad)
    with pytest.raises(DataError, match=r"^CEBaB/CEBaB:test, data row 1 .*'loud'"):
        load_cebab_hub("test")


def test_votes_on_the_label_are_read_where_they_are_asked_for(write_split, make_row):
    rows = [
        make_row(review_majority="3", review_label_distribution={"3": 3, "2": 1}),
        make_row(review_majority="no majority", review_label_distribution={"5": 2, "4": 2, "1": 1}),
        make_row(review_majority="no majority", review_label_distribution=""),
        make_row(review_majority="", review_label_distribution=""),
    ]
    folder = write_split(rows)
    plain, voted = load_cebab(folder, "dev"), load_cebab(folder, "dev", label_votes=True)
    assert [(item.label, item.label_votes, item.undecided) for item in plain] == [(2, None, False)]
    assert [(item.label, item.undecided) for item in voted] == [(2, False), (3, True)]
    assert voted.examples[0].label_votes == (0, 0.25, 0.75, 0, 0)
    assert voted.examples[1].label_votes == (0.2, 0, 0, 0.4, 0.4)
    assert sum(voted.report.dropped.values()) == 2
    assert plain.fingerprint() != voted.fingerprint()


def test_a_vote_for_no_label_is_an_error(write_split, make_row):
    folder = write_split([make_row(review_label_distribution={"6": 1})])
    assert len(load_cebab(folder, "dev")) == 1
    with pytest.raises(DataError, match=r"review_label_distribution.*'6'.*1, 2, 3, 4, 5"):
        load_cebab(folder, "dev", label_votes=True)

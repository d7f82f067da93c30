"""Any CSV: round trips, mapping of states and labels, refusals."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparsecbm_core.data import load_csv
from sparsecbm_core.errors import DataError, SettingsError

ARGUMENTS = {"text_column": "text", "label_column": "stars", "concept_columns": ["food", "staff"]}


def write(folder, *lines, name="mine.csv"):
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_reads_rows_states_and_labels(tmp_path):
    path = write(
        tmp_path,
        "staff,text,stars,extra,food",
        'negative ,"Cold, slow.",10,x,Positive',
        ",Fine,9,,unknown",
    )
    data = load_csv(path, "text", "stars", ["food", "staff"])
    assert (data.name, data.split) == ("mine", "all")
    assert (data.space.concepts, data.space.labels) == (("food", "staff"), ("9", "10"))
    assert data.texts == ["Cold, slow.", "Fine"]
    assert [(example.id, example.label, example.concepts) for example in data] == [
        ("1", 1, (1, 0)),
        ("2", 0, (2, 2)),
    ]
    assert data.report.files == ("mine.csv",)
    assert data.report.concept_counts["staff"] == {"Negative": 1, "Positive": 0, "unknown": 1}


def test_columns_map_to_concept_names_and_cells_to_states(tmp_path):
    path = write(tmp_path, "text,stars,f,s", "a,good,0,+", "b,bad,1,-", "c,good,?,meh")
    data = load_csv(
        path,
        "text",
        "stars",
        {"s": "staff", "f": "food"},
        {"0": "no", "-": "no", "1": "yes", "+": "yes", "?": "maybe", "MEH ": "maybe"},
        ("no", "maybe", "yes"),
        ("good", "bad"),
        name="Mine",
        split="dev",
    )
    assert (data.name, data.split) == ("Mine", "dev")
    assert data.space.concepts == ("staff", "food")
    assert [example.concepts for example in data] == [(2, 0), (0, 2), (1, 1)]
    assert [example.label for example in data] == [0, 1, 0]
    assert data.space.titles == {}


@pytest.mark.parametrize(
    ("found", "labels"),
    [
        (["10", "9", "-1.5"], ("-1.5", "9", "10")),
        (["10", "9", "many"], ("10", "9", "many")),
        (["nan", "2", "10"], ("10", "2", "nan")),
        (["b", " b ", "a"], ("a", "b")),
        (["Good", "good"], ("Good", "good")),
    ],
)
def test_labels_found_are_sorted(tmp_path, found, labels):
    path = write(tmp_path, "text,stars,food,staff", *(f"t,{label},," for label in found))
    data = load_csv(path, **ARGUMENTS)
    assert data.space.labels == labels
    assert [labels[example.label] for example in data] == [label.strip() for label in found]


def test_given_labels_ignore_case_and_spaces(tmp_path):
    path = write(tmp_path, "text,stars,food,staff", "t, GOOD ,,", "t,bad,,")
    assert [example.label for example in load_csv(path, labels=["bad", "good"], **ARGUMENTS)] == [1, 0]


def test_rows_without_text_or_label_are_dropped_and_counted(tmp_path):
    path = write(tmp_path, "text,stars,food,staff", "t,1,,", '" ",3,Positive,', "t, ,,", "", "t,2,,")
    data = load_csv(path, **ARGUMENTS)
    assert (data.report.rows_read, data.report.rows_kept) == (4, 2)
    assert data.report.dropped == {"empty text": 1, "empty label": 1}
    assert data.report.concept_counts["food"]["Positive"] == 1
    assert data.space.labels == ("1", "2")
    assert [example.id for example in data] == ["1", "4"]


def test_byte_order_mark_and_line_ends(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes('\ufefftext,stars,food,staff\r\n"two\r\nlines",1,,\r\ncafé,2,,\r\n'.encode())
    assert load_csv(path, **ARGUMENTS).texts == ["two\r\nlines", "café"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([""], "empty file"),
        (["", "", ""], "empty file"),
        ([",,,"], "empty file"),
        (["text,stars,food,staff"], "no data rows"),
        (["text,stars,food", "t,1,"], r"missing column\(s\) staff; present: text, stars, food"),
        (["text;stars;food;staff", "t;1;;"], "missing column.*present: text;stars;food;staff"),
        (["text,stars,food,staff,food", "t,1,,,"], "more than once in the header: food"),
        (["text,stars,food,staff", "t,1,,", "t,1,"], r"data row 2 .*3 cells where .* 4 columns \(line 3\)"),
        (["text,stars,food,staff", "t,1,,,"], r"data row 1 .*5 cells where .* 4 columns"),
        (["text,stars,food,staff", '"t,1,,'], "line 2: damaged or truncated CSV"),
        (["text,stars,food,staff", '"t"x,1,,'], "line 2: damaged or truncated CSV"),
        (["text,stars,food,staff", "x" * 200_000 + ",1,,"], "damaged or truncated CSV .*field larger"),
        (["text,stars,food,staff", "t,1,,"], "two or more different labels needed, found '1'"),
        (["text,stars,food,staff", "t,,,"], "two or more different labels needed, found none"),
        (
            ["text,stars,food,staff", "t,1,,", "t,2,Positive,okay"],
            r"data row 2 \(counted from 1\), column 'staff': unknown value 'okay'; "
            r"choose one of: Negative, Positive, unknown, \(empty\)$",
        ),
    ],
)
def test_bad_files(tmp_path, lines, message):
    path = write(tmp_path, *lines)
    with pytest.raises(DataError, match=message) as caught:
        load_csv(path, **ARGUMENTS)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_label_that_is_not_among_those_given(tmp_path):
    path = write(tmp_path, "text,stars,food,staff", "t,1,,", "t,7,,")
    with pytest.raises(
        DataError, match=r"data row 2 .*column 'stars': unknown value '7'; choose one of: 1, 2$"
    ):
        load_csv(path, labels=("1", "2"), **ARGUMENTS)


def test_an_empty_cell_needs_a_state_of_its_own(tmp_path):
    path = write(tmp_path, "text,stars,food,staff", "t,1,no,", "t,2,yes,no")
    with pytest.raises(
        DataError, match=r"data row 1 .*column 'staff': unknown value ''; choose one of: no, yes$"
    ):
        load_csv(path, states=("no", "yes"), **ARGUMENTS)
    data = load_csv(path, state_map={"": "no"}, states=("no", "yes"), **ARGUMENTS)
    assert [example.concepts for example in data] == [(0, 0), (1, 0)]


def test_the_map_wins_over_the_names(tmp_path):
    path = write(tmp_path, "text,stars,food,staff", "t,1,Negative,", "t,2,Positive,")
    data = load_csv(path, state_map={"Negative": "Positive", "": "Negative"}, **ARGUMENTS)
    assert [example.concepts for example in data] == [(1, 0), (1, 0)]


def test_spellings_that_differ_only_in_case_must_be_exact(tmp_path):
    path = write(tmp_path, "text,stars,food,staff", "t,1,n,N", "t,2,n,N")
    mapped = {"n": "Negative", "N": "Positive"}
    assert load_csv(path, state_map=mapped, **ARGUMENTS).examples[0].concepts == (0, 1)
    mapped = {"no": "Negative", "NO": "Positive"}
    path = write(tmp_path, "text,stars,food,staff", "t,1,no,NO", "t,2,No,NO")
    with pytest.raises(DataError, match=r"data row 2 .*'food': unknown value 'No'; .*, no, NO"):
        load_csv(path, state_map=mapped, **ARGUMENTS)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_csv(tmp_path / "nowhere.csv", **ARGUMENTS)
    with pytest.raises(DataError, match="cannot be read"):
        load_csv(tmp_path, **ARGUMENTS)
    path = tmp_path / "latin.csv"
    path.write_bytes("text,stars,food,staff\ncaf\xe9,1,,".encode("latin-1"))
    with pytest.raises(DataError, match=r"not UTF-8 text \(byte 0xe9 at position 25"):
        load_csv(path, **ARGUMENTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"concept_columns": "food"}, "concept_columns must be a list"),
        ({"concept_columns": []}, "at least 1 concept"),
        ({"concept_columns": ["food", "food"]}, "used more often: food"),
        ({"concept_columns": ["food", "text"]}, "used more often: text"),
        ({"concept_columns": {"food": "a", "staff": "a"}}, "concept names must differ"),
        ({"label_column": "text"}, "used more often: text"),
        ({"states": "yes"}, "states must be a list"),
        ({"labels": "12"}, "labels must be a list"),
        ({"labels": ["1"]}, "at least 2 label"),
        ({"state_map": {"x": "good"}}, "'x' is mapped to .*unknown name 'good'; choose one of: Negative"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    path = write(tmp_path, "text,stars,food,staff", "t,1,,", "t,2,,")
    with pytest.raises(SettingsError, match=message):
        load_csv(path, **(ARGUMENTS | arguments))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
ROWS = st.tuples(
    TEXTS, st.sampled_from(["1", "2"]), *[st.sampled_from(["Negative", "Positive", "unknown"])] * 2
)


@given(rows=st.lists(ROWS, min_size=1, max_size=6), line_end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(tmp_path, rows, line_end):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([["text", "stars", "food", "staff"], *rows])
    path = tmp_path / "round.csv"
    path.write_bytes(buffer.getvalue().encode())

    data = load_csv(path, labels=("1", "2"), **ARGUMENTS)
    space = data.space
    read = [
        (
            example.text,
            space.labels[example.label],
            *(space.states[state] for state in example.concepts),
        )
        for example in data
    ]
    assert read == rows
    assert data.report.rows_kept == data.report.rows_read == len(rows)


EDITS = (
    "text,stars,food,staff,group,edit_concept",
    "Good soup but rude waiters.,4,Positive,Negative,a,",
    "Good soup.,,Positive,unknown,a,staff",
    "Rude waiters.,2,unknown,Negative,a,food",
)


def test_edits_of_a_text_are_told_by_their_group(tmp_path):
    data = load_csv(write(tmp_path, *EDITS), **ARGUMENTS)
    assert [(item.group, item.edit_concept) for item in data] == [("a", None), ("a", "food")]
    assert data.report.dropped == {"empty label": 1}
    train = load_csv(write(tmp_path, *EDITS), **ARGUMENTS, to_train=True)
    assert [item.undecided for item in train] == [False, True, False]
    assert train.examples[1].label_votes == (0.0, 0.0)


def test_an_edit_without_a_label_has_no_part_in_the_task_loss(tmp_path):
    import torch
    import torch.nn.functional as F

    from sparsecbm_core.training.losses import label_targets

    train = load_csv(write(tmp_path, *EDITS), **ARGUMENTS, to_train=True)
    targets = label_targets(train.examples, train.space, 0.0)
    assert targets.tolist() == [[0, 1], [0, 0], [1, 0]]
    logits = torch.randn(3, 2)
    assert F.cross_entropy(logits, targets, reduction="none")[1].item() == 0.0


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            "Soup.,4,Positive,unknown,a,noise",
            "edit_concept.*'noise'; choose one of: .*food, staff",
        ),
        ("Soup.,4,Positive,unknown,,food", "group.*an edit belongs to the group of its text"),
    ],
)
def test_edits_of_nothing_are_refused(tmp_path, row, problem):
    with pytest.raises(DataError, match=problem):
        load_csv(write(tmp_path, *EDITS, row), **ARGUMENTS)


def test_a_group_alone_means_nothing(tmp_path):
    """A file of one's own may have a column of that name."""
    data = load_csv(write(tmp_path, "text,stars,food,staff,group", "Soup.,4,,,a", "Cold.,1,,,a"), **ARGUMENTS)
    assert [item.group for item in data] == [None, None]

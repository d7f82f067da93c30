"""The report as a file: what is written is read again, and nothing that is damaged or another's is."""

from __future__ import annotations

import json

import pytest

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.evaluate.trust.file import load_report, read_report, report_json_schema, save_report
from tests.reports import made_report


@pytest.fixture
def values():
    return json.loads(json.dumps(made_report().to_dict()))


def test_what_is_written_is_read_again(tmp_path):
    path, report = tmp_path / "evaluation.json", made_report()
    save_report(report, path)
    assert read_report(path) == report
    assert [file.name for file in tmp_path.iterdir()] == ["evaluation.json"]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("model", 7, "model: Input should be a valid string"),
        ("accuracy.result.label.majority", 1.5, "accuracy.result.label.majority: .*less than or equal to 1"),
        ("accuracy.result.label.majority", "0.5", "valid number"),
        ("accuracy.result.concepts", {}, r"accuracy.concepts: speaks of \[\], the model of"),
        ("accuracy.examples", -1, "accuracy.examples: .*greater than or equal to 0"),
        ("accuracy.extra", 1, "accuracy.extra: Unexpected keyword"),
        ("leakage.result.soft", None, "leakage.result.soft"),
        ("corrections.result.curves.0.accuracy", [0.5], "a curve of 2 concepts has 3 points"),
        ("calibration.result.label.before.count", [1, 2], "calibration: a table of 2 bins"),
        ("subnetworks.result.swapped", [[0.5, 0.5]], "subnetworks.swapped: is no matrix of 2"),
        ("subnetworks.result.majority", [0.5], "subnetworks.majority: has 1 values"),
        ("words.occlusion.result.shares", [0.5], "words.occlusion: a curve does not have a point"),
        ("effects", [], "effects"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, values, place, value, message):
    *steps, last = place.split(".")
    target = values
    for step in steps:
        target = target[int(step) if step.isdigit() else step]
    target[last] = value
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=message) as caught:
        read_report(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is damaged"),
        ("[1]", "holds list"),
        ("[" * 100_000, "is damaged"),
        ("{}", "has no schema_version"),
        ('{"schema_version": true}', "has no schema_version"),
        ('{"schema_version": 99}', "written by a newer version"),
        ('{"schema_version": 1}', "is damaged: model: "),
    ],
)
def test_what_is_no_report_is_refused_in_a_line(tmp_path, text, message):
    path = tmp_path / "evaluation.json"
    path.write_text(text)
    with pytest.raises(CheckpointError, match=message):
        read_report(path)


def test_numbers_are_finite(values):
    values["effects"]["result"]["estimators"]["zero"]["cosine"] = float("nan")
    with pytest.raises(ValueError, match="Out of range"):
        load_report(values)


def test_the_schema_names_every_part():
    schema = report_json_schema()
    assert schema["title"] == "SparseCBM evaluation"
    assert set(made_report().to_dict()) == set(schema["properties"])

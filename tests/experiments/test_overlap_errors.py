"""Overlap and errors over pairs and models: what is compared with what, and what may be said of it."""

from __future__ import annotations

import json
import re
import shutil
from itertools import combinations

import pytest

from sparsecbm_core.experiments.experiment import Measured
from sparsecbm_core.experiments.overlap_errors import LEAST, draw, said, summary, tables, trained
from tests.cli.arguments import refused


def interval(value, low=None, high=None, clusters=3):
    return {"value": value, "low": low, "high": high, "clusters": clusters}


def measured(model, points):
    """A model with (first, second, jaccard, phi) for each pair."""
    pairs = [
        {
            "first": a,
            "second": b,
            "jaccard": overlap,
            "chance": 0.14,
            "both_wrong": 3,
            "expected": 2.0,
            "phi": interval(phi, phi - 0.1, phi + 0.1),
            "partial": None,
        }
        for a, b, overlap, phi in points
    ]
    return Measured({"model": model}, {"examples": 50, "pairs": pairs})


def test_what_pairs_have_of_their_own_is_taken_off_within_pairs():
    """Pairs that are alike hard overlap less, but each errs together more in the model that overlaps more."""
    parts = [
        measured(
            f"m{i}", [("a", "b", 0.1 + i / 100, 0.5 + i / 100), ("a", "c", 0.6 + i / 100, 0.1 + i / 100)]
        )
        for i in range(LEAST)
    ]
    phi, partial = summary(parts)["together"]
    assert phi["across"]["value"] < 0
    assert phi["across_said"].startswith("too few to tell: 2 pairs of concepts")
    assert phi["within"]["value"] == pytest.approx(1.0)
    assert phi["within"]["clusters"] == LEAST
    assert phi["within_said"] == "more overlap goes with more errors in common"
    assert partial["across"] is None
    assert partial["within_said"] == "cannot be told: it takes at least two models that differ"


def test_many_pairs_of_one_model_are_compared_across():
    points = [(a, b, i / 50, i / 40) for i, (a, b) in enumerate(combinations("abcdefgh", 2))]
    (phi, _) = summary([measured("m", points)])["together"]
    assert phi["across"]["clusters"] == 28
    assert phi["across_said"] == "more overlap goes with more errors in common"
    assert phi["within"] is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (interval(0.5, 0.1, 0.9, LEAST), "more overlap goes with more errors in common"),
        (interval(-0.5, -0.9, -0.1, LEAST), "more overlap goes with fewer errors in common"),
        (interval(0.1, -0.4, 0.5, LEAST), "no connection that these would show"),
        (interval(0.9, 0.8, 1.0, LEAST - 1), f"too few to tell: {LEAST - 1} models"),
        (interval(0.9), "cannot be told"),
        (None, "cannot be told"),
    ],
)
def test_what_is_said_depends_on_the_interval_and_on_how_many_there_are(given, words):
    assert said(given, "models").startswith(words)


@pytest.mark.parametrize(("models", "names"), [(2, ["model 0", "model 1"]), (3, ["a, b", "a, c"])])
def test_marks_tell_pairs_or_models_apart_whichever_are_fewer(models, names):
    points = [("a", "b", 0.1, 0.0), ("a", "c", 0.2, 0.1)]
    figure = draw(summary([measured(f"model {n}", points) for n in range(models)]))
    assert [trace.name for trace in figure.data if trace.showlegend] == names
    assert sum(len(trace.x) for trace in figure.data) == 2 * models


def test_models_of_the_same_name_are_told_apart(reproduce, data, model, tmp_path):
    copy = tmp_path / "other"
    shutil.copytree(model, copy)
    models = ["--model", model, "--model", copy, "--model", model]
    code, _, err = reproduce("overlap-errors", "--data", data, *models, "--out", tmp_path, "--device", "cpu")
    assert code == 0, err
    values = json.loads((tmp_path / "overlap-errors.json").read_text(encoding="utf-8"))
    names = [part["labels"]["model"] for part in values["parts"]]
    # a run's "model" by how it was trained; given twice: by its fingerprint as well, and once a part
    assert re.fullmatch(r"λ = 0\.8, seed 0 [0-9a-f]{16}", names[0])
    assert names[1] == "other"
    assert len(values["results"]["rows"]) == 2 * 6
    pairs, together = tables(values["results"])
    assert [row[:2] for row in pairs.rows] == [[name, "6"] for name in names]
    of_one = [row for row in values["results"]["rows"] if row["model"] == "other"]
    mean = sum(row["jaccard"] for row in of_one) / 6
    assert pairs.rows[1][2] == f"{mean:.3f}"
    assert {row[1] for row in together.rows} == {"across pairs", "within pairs, between models"}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"prune": {"exclusivity": 0.5}, "distillation": 0.5, "seed": 2}, "λ = 0.5, taught, seed 2"),
        ({"prune": {"exclusivity": 0.0, "method": "partition"}, "seed": 1}, "partition, seed 1"),
        ({}, "model"),
    ],
)
def test_a_model_of_a_run_is_called_by_how_it_was_trained(settings, name):
    assert trained("model", {"settings": settings}) == name


def test_a_dense_model_is_refused_before_anything_is_read(reproduce, data, model, tmp_path):
    copy = tmp_path / "dense"
    shutil.copytree(model, copy)
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps({**config, "kind": "cbm"}), encoding="utf-8")
    result = reproduce("overlap-errors", "--data", data, "--model", copy, "--out", tmp_path)
    refused(result, "is no SparseCBM: it has no masks")

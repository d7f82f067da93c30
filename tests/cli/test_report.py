"""``sparsecbm report``: kept part by part, beside the model when asked, and never another model's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sparsecbm_core.evaluate.trust import measures
from sparsecbm_core.evaluate.trust.file import read_report
from sparsecbm_core.models.concept_model import ConceptModel
from tests.cli.arguments import refused

SMALL = ("--word-reviews", 1, "--subnetwork-reviews", 2, "--draws", 20, "--methods", "gradient")
QUICK = ("--parts", "accuracy,leakage", "--draws", 20)


@pytest.fixture
def command(trained, data):
    return ("report", "--model", trained / "model", "--data", data, "--device", "cpu")


def test_a_report_of_every_part(run, command, trained, tmp_path):
    output = tmp_path / "new" / "report.json"
    code, out, err = run(*command, *SMALL, "--reference-split", "train", "--output", output)
    assert (code, out) == (0, "")
    assert err[0].startswith("report: 0 of 7 parts done; less than a minute for the rest")
    assert err[-1] == f"wrote {output}"
    report = read_report(output)
    assert report.model == ConceptModel.from_pretrained(trained / "model").fingerprint
    assert report.accuracy.examples == 8
    assert report.accuracy.data["split"] == "dev"
    assert report.corrections.result.reference["split"] == "train"
    assert set(report.words) == {"gradient"}
    assert not (trained / "model" / "evaluation.json").exists()
    code, _, err = run(*command, *SMALL, "--reference-split", "train", "--output", output)
    assert (code, err) == (0, [f"wrote {output}"])
    assert read_report(output) == report


def test_without_a_file_it_is_printed(run, command):
    code, out, _ = run(*command, *QUICK)
    assert code == 0
    assert json.loads(out)["accuracy"]["examples"] == 8
    assert json.loads(out)["calibration"] is None


def test_a_stopped_report_keeps_its_parts_and_goes_on(run, command, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(measures, "functional_tests", stop)
    output = tmp_path / "report.json"
    code, _, err = run(*command, *SMALL, "--output", output)
    assert code == 130
    assert err[-1] == f"sparsecbm: stopped: 5 of 7 parts are in {output}; the same command goes on"
    kept = read_report(output)
    monkeypatch.undo()
    code, _, err = run(*command, *SMALL, "--output", output)
    assert code == 0
    assert err[0].startswith("report: 5 of 7 parts done")
    assert read_report(output).accuracy == kept.accuracy


def test_saved_beside_the_model_which_stays_the_same(run, command, trained, data, tmp_path):
    model = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    fingerprint = ConceptModel.from_pretrained(model).fingerprint
    code, _, err = run("report", "--model", model, "--data", data, *QUICK, "--save", "--limit", 4)
    assert (code, err[-1]) == (0, f"wrote {model / 'evaluation.json'}")
    report = read_report(model / "evaluation.json")
    assert report.accuracy.settings == {"draws": 20, "limit": 4}
    assert report.model == ConceptModel.from_pretrained(model).fingerprint == fingerprint


def test_what_cannot_be_gone_on_with_is_refused(run, command, tmp_path):
    output = tmp_path / "report.json"
    assert run(*command, *QUICK, "--output", output)[0] == 0
    refused(
        run(*command, *QUICK, "--output", output, "--seed", 1), "measured otherwise (seed)", "--overwrite"
    )
    assert run(*command, *QUICK, "--output", output, "--seed", 1, "--overwrite")[0] == 0
    values = json.loads(output.read_text())
    output.write_text(json.dumps({**values, "model": "0" * 16}))
    refused(run(*command, *QUICK, "--output", output), "is of another model (fingerprint 0000000000000000)")
    output.write_text("{")
    refused(run(*command, *QUICK, "--output", output), f"{output} is damaged")
    refused(run(*command, *QUICK, "--output", tmp_path), "is a folder")
    refused(run(*command, "--parts", "luck"), "unknown part 'luck'; choose one of: accuracy")
    refused(run(*command, *QUICK, "--methods", "magic"), "unknown token method 'magic'")


def test_figures_of_corrections_are_taken_from_their_file(run, command, trained, data, tmp_path):
    figures, output = tmp_path / "corrections.json", tmp_path / "report.json"
    evaluated = ("intervene-eval", "--model", trained / "model", "--data", data, "--split", "train")
    small = ("--limit", 2, "--rules", "signed", "--guard", 2, "--profile", 2, "--sequential", "1")
    assert run(*evaluated, *small, "--output", figures)[0] == 0
    assert run(*command, *QUICK, "--interventions", figures, "--output", output)[0] == 0
    found = read_report(output).interventions
    values = json.loads(figures.read_text())
    assert found.result.rules["signed"].efficacy == values["rules"]["signed"]["efficacy"]
    assert (found.data["split"], found.seed, found.seconds) == ("train", 0, None)
    assert len(found.result.sequential["signed"]) == 1
    figures.write_text(json.dumps({**values, "model": "0" * 16}))
    refused(run(*command, *QUICK, "--interventions", figures), "is of another model (fingerprint 0000")
    figures.write_text(json.dumps({**values, "rules": {"signed": {"pairs": 2}}}))
    refused(run(*command, *QUICK, "--interventions", figures), "is damaged: rules.signed")
    figures.write_text("{}")
    refused(
        run(*command, *QUICK, "--interventions", figures), "is not a result of 'sparsecbm intervene-eval'"
    )

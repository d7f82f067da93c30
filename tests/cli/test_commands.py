"""The commands, used as they are meant."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sparsecbm_core.cli.train import parse_settings
from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.training.trainer import STATE_FILE, Trainer
from tests.cli.arguments import refused, train_arguments
from tests.toy import read_log


@pytest.mark.parametrize("command", [[], ["train"], ["evaluate"], ["explain"], ["data"], ["data", "stats"]])
def test_help(run, command):
    code, out, err = run(*command, "--help")
    assert (code, err) == (0, [])
    assert "Usage: sparsecbm" in out
    assert "--help" in out


@pytest.mark.parametrize("command", [[], ["data"]])
def test_without_arguments_the_help_is_shown(run, command):
    code, out, err = run(*command)
    assert code == 2
    assert "Usage: sparsecbm" in out + "\n".join(err)


def test_data_stats(run, data, tmp_path):
    code, out, err = run(
        "data", "stats", "--data", data, "--splits", "train, dev", "--output", tmp_path / "s.json"
    )
    assert code == 0
    assert err == [f"wrote {tmp_path / 's.json'}"]
    assert "CEBaB" in out
    assert "train" in out
    stats = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert [(split["split"], split["rows_kept"]) for split in stats["splits"]] == [("train", 16), ("dev", 8)]
    assert list(stats["concepts"]) == list(CEBAB.concepts)


def test_train_writes_a_model_and_its_log(trained, backbone):
    model = ConceptModel.from_pretrained(trained / "model")
    assert model.space == CEBAB
    assert set(model.masks.sparsity().values()) == {0.75}
    assert list(model.metrics) == ["dev"]
    assert read_log(trained)[0]["event"] == "start"
    settings = model.training["settings"]
    assert (settings["backbone"], settings["max_length"], settings["prune"]["num_grads"]) == (backbone, 32, 2)
    assert not (trained / STATE_FILE).exists()


def test_train_says_what_it_made(run, data, backbone, tmp_path):
    code, out, _ = run("train", *train_arguments(tmp_path, data, backbone, "--kind", "cbm"))
    assert code == 0
    assert out.startswith(f"{tmp_path / 'model'}: dev concept accuracy 0.")
    code, out, _ = run("train", *train_arguments(tmp_path, data, backbone, "--kind", "standard"))
    assert code == 0
    assert out.startswith(f"{tmp_path / 'model'}: dev task accuracy ")


def test_train_from_a_dense_model(run, data, backbone, tmp_path):
    assert run("train", *train_arguments(tmp_path / "dense", data, backbone, "--kind", "cbm"))[0] == 0
    init = ("--init", tmp_path / "dense" / "model")
    assert run("train", *train_arguments(tmp_path / "sparse", data, "unused", *init))[0] == 0
    assert ConceptModel.from_pretrained(tmp_path / "sparse" / "model").masks is not None


def test_a_stopped_run_goes_on_only_with_resume(run, data, backbone, tmp_path, trained, monkeypatch):
    step = Trainer._train_step
    steps = []

    def stop(self, *arguments):
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(Trainer, "_train_step", stop)
    arguments = train_arguments(tmp_path, data, backbone)
    code, _, err = run("train", *arguments)
    assert (code, err) == (130, ["sparsecbm: stopped"])
    monkeypatch.undo()
    assert (tmp_path / STATE_FILE).is_file()
    refused(run("train", *arguments), "holds a stopped run; add --resume")
    refused(run("train", *arguments, "--resume", "--seed", "1"), "other settings or data (seed)")
    assert run("train", *arguments, "--resume")[0] == 0
    assert not (tmp_path / STATE_FILE).exists()
    whole = ConceptModel.from_pretrained(trained / "model")
    assert ConceptModel.from_pretrained(tmp_path / "model").fingerprint == whole.fingerprint


def test_evaluate(run, trained, data, tmp_path):
    command = ("evaluate", "--model", trained / "model", "--data", data, "--device", "cpu")
    code, out, err = run(*command)
    assert (code, err) == (0, [])
    printed = json.loads(out)
    assert printed["examples"] == 8
    assert set(printed["per_concept"]) == set(CEBAB.concepts)
    written = tmp_path / "new" / "folder" / "dev.json"
    code, out, err = run(*command, "--output", written, "--batch-size", "3")
    assert (code, out, err) == (0, "", [f"wrote {written}"])
    stored = json.loads(written.read_text(encoding="utf-8"))
    assert stored["task_accuracy"] == printed["task_accuracy"]
    # the same figures that training left in the model
    recorded = ConceptModel.from_pretrained(trained / "model").metrics["dev"]
    assert recorded["concept_accuracy"] == printed["concept_accuracy"]


def test_evaluate_can_record_its_report_in_the_model(run, trained, data, tmp_path):
    model = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    before = (model / "model.safetensors").read_bytes(), ConceptModel.from_pretrained(model).fingerprint
    command = ("evaluate", "--model", model, "--data", data, "--split", "train", "--record", "train")
    code, out, _ = run(*command)
    assert code == 0
    loaded = ConceptModel.from_pretrained(model)
    assert list(loaded.metrics) == ["dev", "train"]
    assert loaded.metrics["train"] == json.loads(out)
    assert "On train (16 examples)" in (model / "README.md").read_text(encoding="utf-8")
    assert ((model / "model.safetensors").read_bytes(), loaded.fingerprint) == before


@pytest.mark.parametrize("method", ["gradient", "input_x_gradient", "integrated_gradients", "occlusion"])
def test_explain_one_review(run, trained, method):
    code, out, err = run(
        "explain",
        "--model",
        trained / "model",
        "--text",
        "The soup was cold.",
        "--method",
        method,
        "--steps",
        4,
    )
    assert (code, err) == (0, [])
    explanation = json.loads(out)
    assert explanation["text"] == "The soup was cold."
    assert explanation["method"] == method
    assert list(explanation["concepts"]) == list(CEBAB.concepts)
    words = [token["text"] for token in explanation["concepts"]["food"]["tokens"]]
    assert "soup" in words


def test_explain_a_file_of_reviews(run, trained, tmp_path):
    reviews = tmp_path / "reviews.txt"
    reviews.write_bytes("\ufeffThe soup was cold.\r\n\r\nThe food\u2028was great.\n".encode())
    output = tmp_path / "explained.json"
    code, out, err = run(
        "explain", "--model", trained / "model", "--file", reviews, "--output", output, "--steps", 2
    )
    assert (code, out, err) == (0, "", [f"wrote {output}"])
    explained = json.loads(output.read_text(encoding="utf-8"))
    assert explained["schema_version"] == 1
    assert [review["text"] for review in explained["reviews"]] == [
        "The soup was cold.",
        "The food\u2028was great.",
    ]


def test_csv_data(run, backbone, tmp_path):
    rows = ["text,stars,food,noise"] + [f"soup {i},{i % 2},{('pos', 'neg')[i % 2]}," for i in range(8)]
    (tmp_path / "train.csv").write_text("\n".join(rows))
    (tmp_path / "dev.csv").write_text("\n".join([*rows[:4], "meal,1,neg,"]))
    csv = ["--dataset", "csv", "--label-column", "stars", "--state-map", "pos=Positive,neg=Negative"]
    columns = ["--concept-columns", "food, noise"]
    run_folder = tmp_path / "run"
    code, _, err = run("train", *train_arguments(run_folder, tmp_path, backbone, *csv, *columns))
    assert (code, err) == (0, [])
    code, out, _ = run("evaluate", "--model", run_folder / "model", "--data", tmp_path, *csv)
    assert code == 0
    assert set(json.loads(out)["per_concept"]) == {"food", "noise"}
    # one file is one split: it cannot be both
    arguments = train_arguments(run_folder, tmp_path / "train.csv", backbone, *csv, *columns)
    refused(run("train", *arguments), "train and dev are the same reviews")


def test_the_data_folder_can_come_from_the_environment(run, data, monkeypatch):
    monkeypatch.setenv("SPARSECBM_DATA", str(data))
    assert run("data", "stats", "--splits", "dev")[0] == 0


def test_settings_from_options_and_assignments():
    values = {"backbone": "some/model", "seed": 1, "prune": {"sparsity": 0.5}}
    assignments = [
        "damp=1e-6",
        "encoder_lr=2e-5",
        "seed=7",
        "scope=matrix",
        "dropout=null",
        "precision=bfloat16",
    ]
    settings = parse_settings(values, assignments)
    assert (settings.seed, settings.encoder_lr, settings.dropout) == (7, 2e-5, None)
    assert (settings.prune.sparsity, settings.prune.damp, settings.prune.scope) == (0.5, 1e-6, "matrix")
    assert settings.precision == "bfloat16"


@pytest.mark.slow
def test_as_a_module(data, tmp_path):
    command = [
        sys.executable,
        "-m",
        "sparsecbm_core",
        "data",
        "stats",
        "--data",
        str(data),
        "--splits",
        "nope",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_the_command_line_starts_without_heavy_imports():
    heavy = "('torch', 'transformers', 'sklearn')"
    code = f"import sys, sparsecbm_core.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert done.stdout.strip() == "[]"

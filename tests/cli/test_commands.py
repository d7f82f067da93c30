"""The commands, used as they are meant."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import sparsecbm_core
from sparsecbm_core.cli.train import parse_settings, train
from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.config import PruneSettings, TrainSettings
from sparsecbm_core.errors import InputError
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.record import read_record
from sparsecbm_core.training.phase import Phase
from sparsecbm_core.training.trainer import STATE_FILE
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


def test_the_version_is_that_of_the_package_and_of_its_checkpoints(run, trained):
    code, out, err = run("--version")
    assert (code, out, err) == (0, f"sparsecbm {sparsecbm_core.__version__}\n", [])
    assert read_record(trained / "model").version == sparsecbm_core.__version__


def test_train_writes_a_model_and_its_log(trained, backbone):
    model = ConceptModel.from_pretrained(trained / "model")
    assert model.space == CEBAB
    assert set(model.masks.sparsity().values()) == {round(0.8 * 4096) / 4096}
    assert list(model.metrics) == ["dev"]
    assert read_log(trained)[0]["event"] == "start"
    settings = model.training["settings"]
    assert (settings["backbone"], settings["max_length"], settings["prune"]["num_grads"]) == (backbone, 32, 2)
    assert not (trained / STATE_FILE).exists()


def test_train_says_what_it_made(run, data, backbone, tmp_path):
    code, out, _ = run("train", *train_arguments(tmp_path, data, backbone, "--kind", "cbm"))
    assert code == 0
    assert out.startswith(f"{tmp_path / 'model'}: dev concept accuracy 0.")
    code, out, _ = run(
        "train", *train_arguments(tmp_path, data, backbone, "--kind", "standard", "--overwrite")
    )
    assert code == 0
    assert out.startswith(f"{tmp_path / 'model'}: dev task accuracy ")


def test_train_from_a_dense_model(run, data, backbone, tmp_path):
    assert run("train", *train_arguments(tmp_path / "dense", data, backbone, "--kind", "cbm"))[0] == 0
    init = ("--init", tmp_path / "dense" / "model")
    assert run("train", *train_arguments(tmp_path / "sparse", data, "unused", *init))[0] == 0
    assert ConceptModel.from_pretrained(tmp_path / "sparse" / "model").masks is not None


def test_train_heads_apart_from_the_concepts(run, data, backbone, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    kind = ("--kind", "sequential", "--set", "head_epochs=2")
    code, out, _ = run("train", *train_arguments(first, data, backbone, *kind))
    assert code == 0
    assert "concept accuracy" in out
    assert "task accuracy" in out
    kind = ("--kind", "independent", "--set", "head_epochs=1", "--init", first / "model")
    assert run("train", *train_arguments(second, data, "unused", *kind))[0] == 0
    model = ConceptModel.from_pretrained(second / "model")
    assert (model.masks, model.training["settings"]["head_epochs"]) == (None, 1)


def test_a_stopped_run_goes_on_only_with_resume(run, data, backbone, tmp_path, trained, monkeypatch):
    step = Phase._train_step
    steps = []

    def stop(self, *arguments):
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(Phase, "_train_step", stop)
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


def test_calibrate(run, trained, tmp_path):
    file = tmp_path / "labelled.csv"
    file.write_text("text,stars\nCold soup.,1\nGreat waiter!,5\nFine.,\n", encoding="utf-8")
    command = ("calibrate", "--model", trained / "model", "--file", file, "--label-column", "stars")
    code, out, _ = run(*command, "--output", tmp_path / "warm", "--device", "cpu")
    assert code == 0
    assert re.search(r"warm: temperature \d\.\d{3} from 2 texts; calibration error", out)
    assert ConceptModel.from_pretrained(tmp_path / "warm").training["label_temperature"]["reviews"] == 2
    file.write_text("text,stars\nCold soup.,9\n", encoding="utf-8")
    code, _, err = run(*command, "--output", tmp_path / "warm", "--device", "cpu")
    assert code == 2
    assert "'9'" in err[-1]


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


def test_evaluate_labels_alone(run, trained, tmp_path):
    """Of a file that knows no concepts."""
    file = tmp_path / "ours.csv"
    file.write_text("text,stars\nCold soup.,1\nA great cook.,5\n,3\n", encoding="utf-8")
    command = ("evaluate", "--model", trained / "model", "--labels-only", "--device", "cpu")
    code, out, _ = run(*command, "--dataset", "csv", "--data", file, "--label-column", "stars")
    found = json.loads(out)
    assert code == 0
    assert (found["data"], found["examples"]) == ("ours", 2)
    assert 0 <= found["task_accuracy"] <= found["within_one"] <= 1
    for wrong, problem in (((), "--dataset csv"), (("--record", "ours"), "no concepts")):
        code, _, err = run(*command, "--data", file, *wrong)
        assert code == 2
        assert problem in err[-1]


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
    assert explained["schema_version"] == 2
    assert [review["text"] for review in explained["reviews"]] == [
        "The soup was cold.",
        "The food\u2028was great.",
    ]


def test_a_finished_run_is_neither_lost_nor_repeated(run, data, backbone, trained, tmp_path):
    output = Path(shutil.copytree(trained, tmp_path / "run"))
    arguments = train_arguments(output, data, backbone)
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    refused(run("train", *arguments), "holds a finished run; add --overwrite to start anew")
    refused(run("train", *arguments, "--resume", "--overwrite"), "give one of them")
    code, out, err = run("train", *arguments, "--resume")
    assert (code, err) == (0, [f"{output} is finished; --overwrite starts it anew"])
    accuracy = ConceptModel.from_pretrained(trained / "model").metrics["dev"]["task_accuracy"]
    assert out.startswith(f"{output / 'model'}: dev concept accuracy")
    assert f"task accuracy {accuracy:.4f}" in out
    assert before == {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    assert run("train", *arguments, "--overwrite", "--seed", "1")[0] == 0
    assert ConceptModel.from_pretrained(output / "model").training["settings"]["seed"] == 1


def test_options_default_to_the_settings():
    """One place says what the recipe is."""
    defaults = {name: item.default for name, item in inspect.signature(train).parameters.items()}
    for settings in (TrainSettings, PruneSettings):
        for item in fields(settings):
            if item.name in defaults and item.name != "backbone":
                assert defaults[item.name] == item.default, item.name


def test_the_model_to_start_from_goes_to_the_device_asked_for(run, data, backbone, tmp_path, monkeypatch):
    seen = []

    def load(folder, device=None):
        seen.append(device)
        raise InputError("seen")

    monkeypatch.setattr(ConceptModel, "from_pretrained", load)
    refused(run("train", *train_arguments(tmp_path, data, backbone, "--init", "x")), "seen")
    assert seen == ["cpu"]


@pytest.mark.filterwarnings("default::sparsecbm_core.errors.SparseCBMWarning")
def test_a_warning_is_one_line(run, data, backbone, tmp_path):
    arguments = train_arguments(tmp_path, data, backbone, "--sparsity", "0.5")
    code, _, err = run("train", *arguments)
    assert code == 0
    assert [line for line in err if "warning" in line] == [
        "sparsecbm: warning: 5 subnetworks (one is for the rest of the text) of sparsity 0.5 share weights "
        "whatever the exclusivity: to be distinct they need a sparsity of at least 0.8 (1 - 1/5)"
    ]


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

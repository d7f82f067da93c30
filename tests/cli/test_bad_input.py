"""Bad input: one clear line and exit code 2."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sparsecbm_core import cli
from sparsecbm_core.cli.options import DataSource
from sparsecbm_core.cli.train import parse_settings
from sparsecbm_core.errors import InputError, SettingsError
from tests.cli.arguments import refused, train_arguments

TEXT = ("--text", "good")


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["evaluate"], "Missing option '--model'"),
        (["evaluate", "--nonsense"], "No such option: --nonsense"),
        (["train", "--output", "x", "--seed", "one"], "Invalid value for '--seed'"),
        (["data", "stats", "--dataset", "yelp"], "'yelp' is not one of 'cebab', 'imdb', 'csv'"),
        (["data", "stats", "--data", "{tmp}/none"], "no such folder"),
        (["data", "stats", "--data", "{data}", "--splits", "train,nope"], "unknown CEBaB split 'nope'"),
        (["data", "stats", "--data", "{data}", "--splits", "test"], "damaged"),
        (["data", "stats", "--data", "{data}", "--splits", "dev", "--output", "{data}"], "cannot write"),
        (["data", "stats", "--dataset", "imdb"], "imdb needs --data (or SPARSECBM_DATA): the folder"),
        (["data", "stats", "--dataset", "csv"], "csv needs --data (or SPARSECBM_DATA): the file"),
        (["data", "stats", "--dataset", "csv", "--data", "{data}"], "csv needs --concept-columns"),
        (
            ["data", "stats", "--dataset", "csv", "--data", "{data}", "--state-map", "good"],
            "--state-map 'good' is not of the form",
        ),
        (["evaluate", "--model", "{tmp}/none", "--data", "{data}"], "no checkpoint folder at"),
        (["evaluate", "--model", "{data}", "--data", "{data}"], "config.json is missing"),
        (["evaluate", "--model", "{model}", "--data", "{tmp}/none"], "no such folder"),
        (
            ["evaluate", "--model", "{model}", "--data", "{data}", "--split", "nope"],
            "unknown CEBaB split 'nope'",
        ),
        (["evaluate", "--model", "{model}", "--data", "{data}", "--batch-size", "0"], "batch_size must be"),
        (
            ["evaluate", "--model", "{model}", "--data", "{data}", "--device", "gpu"],
            "device 'gpu' is not usable",
        ),
        (["evaluate", "--model", "{model}", "--data", "{data}", "--output", "{data}"], "cannot write"),
        (["evaluate", "--model", "{model}", "--data", "{data}", "--output", "{file}/x.json"], "cannot write"),
        (["explain", "--model", "{model}"], "--text, or a file of reviews with --file"),
        (["explain", "--model", "{model}", *TEXT, "--file", "{file}"], "(one of the two)"),
        (["explain", "--model", "{model}", "--file", "{tmp}/none.txt"], "cannot read"),
        (["explain", "--model", "{model}", "--file", "{data}"], "cannot read"),
        (["explain", "--model", "{model}", "--file", "{binary}"], "cannot read"),
        (["explain", "--model", "{model}", "--file", "{blank}"], "holds no review"),
        (["explain", "--model", "{model}", "--text", " "], "text"),
        (["explain", "--model", "{model}", *TEXT, "--method", "magic"], "unknown"),
        (["explain", "--model", "{model}", *TEXT, "--steps", "0"], "steps"),
        (["explain", "--model", "{model}", *TEXT, "--output", "{data}"], "cannot write"),
        (
            ["train", "--output", "{file}", "--data", "{data}", "--backbone", "{backbone}"],
            "unknown CEBaB split",
        ),
        (["train", "{train}", "--set", "epochs=3"], "unknown setting (as name=value) 'epochs=3'"),
        (["train", "{train}", "--set", "damp"], "unknown setting (as name=value) 'damp'"),
        (["train", "{train}", "--set", "damp=-1"], "damp must be positive"),
        (["train", "{train}", "--set", "damp=tiny"], "damp must be positive and finite, got 'tiny'"),
        (["evaluate", "--model", "a/b", "--data", "{data}", "--record", "x"], "recorded in a folder here"),
        (["train", "{train}", "--set", "max_length=65"], "max_length 65 exceeds the encoder's 64 positions"),
        (["train", "{train}", "--kind", "dense"], "unknown kind 'dense'"),
        (["train", "{train}", "--sparsity", "1"], "sparsity must lie in"),
        (["train", "{train}", "--criterion", "best"], "unknown criterion 'best'"),
        (["train", "{train}", "--gamma", "nan"], "gamma must be finite"),
        (
            ["train", "{train}", "--backbone", "nobody/nothing"],
            "cannot load a backbone from 'nobody/nothing'",
        ),
        (["train", "{train}", "--device", "gpu"], "device 'gpu' is not usable"),
        (["train", "{train}", "--init", "{tmp}/none"], "no checkpoint folder at"),
        (["train", "{train}", "--kind", "cbm", "--init", "{model}"], "only if this one is sparse"),
        (["train", "{train}", "--teacher", "{tmp}/none"], "no checkpoint folder at"),
        (["train", "{train}", "--teacher", "{model}"], "teachers need a distillation above 0"),
        (["train", "{train}", "--dev-split", "train"], "train and dev are the same reviews"),
        (["train", "{train}", "--output", "{file}"], "file.txt"),
    ],
)
def test_bad_input_is_one_line(run, data, backbone, trained, tmp_path, monkeypatch, arguments, fragment):
    monkeypatch.delenv("SPARSECBM_DATA", raising=False)
    names = {"data": data, "tmp": tmp_path, "backbone": backbone, "model": trained / "model"}
    for name, content in (("file.txt", b"good\n"), ("binary", b"\xff\xfe\xff"), ("blank", b"\n \n")):
        (tmp_path / name).write_bytes(content)
        names[name.removesuffix(".txt")] = tmp_path / name
    filled = []
    for argument in arguments:
        if argument == "{train}":
            filled += train_arguments(tmp_path / "run", data, backbone)
        else:
            filled.append(argument.format(**names))
    refused(run(*filled), fragment)
    assert [*tmp_path.glob("**/.*"), *data.glob(".*")] == []  # nothing half-written stays


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "masks.safetensors", "tokenizer/tokenizer.json"]
)
@pytest.mark.parametrize("command", ["evaluate", "explain"])
def test_a_damaged_model_is_one_line(run, trained, data, tmp_path, command, name):
    model = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    content = (model / name).read_bytes()
    (model / name).write_bytes(content[: len(content) // 2])
    more = ("--data", data) if command == "evaluate" else TEXT
    refused(run(command, "--model", model, *more), str(tmp_path))


def test_a_model_without_concepts_is_not_explained(run, data, backbone, tmp_path):
    assert run("train", *train_arguments(tmp_path, data, backbone, "--kind", "standard"))[0] == 0
    refused(run("explain", "--model", tmp_path / "model", *TEXT), "standard classifier")


def test_data_of_another_kind_is_refused(run, trained, tmp_path):
    (tmp_path / "dev.csv").write_text("text,label,food\ngood,5,Positive\n")
    command = ("evaluate", "--model", trained / "model", "--dataset", "csv", "--data", tmp_path)
    refused(run(*command), "ambiance")


def test_an_error_of_our_own_is_not_hidden(monkeypatch):
    def broken(*_args, **_kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(DataSource, "open", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main(["data", "stats"])


@pytest.mark.parametrize("assignment", ["nope=1", "prune={}", "=1", "seed", ""])
def test_assignments_that_name_nothing(assignment):
    with pytest.raises(InputError, match="unknown setting"):
        parse_settings({"backbone": "some/model", "prune": {}}, [assignment])


@pytest.mark.parametrize(
    "assignment", ["seed=x", "backbone=5", "backbone=", "updates=[1]", "gamma={}", "damp=x"]
)
def test_assignments_of_the_wrong_type(assignment):
    with pytest.raises((InputError, SettingsError)):
        parse_settings({"backbone": "some/model", "prune": {}}, [assignment])

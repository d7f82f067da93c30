"""What a model folder says of itself, without its weights and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sparsecbm_core
from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.checkpoint import record_metrics
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.record import FILES, MASKS, holds_model, read_record
from tests.models.complete import METRICS, TRAINING
from tests.tiny import SPACE, make_tiny

BUNDLED = Path(sparsecbm_core.__file__).parents[1] / "assets" / "models"


def rewrite(folder: Path, **values: object) -> None:
    """None takes a value away."""
    config = {**json.loads((folder / "config.json").read_text()), **values}
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def test_a_record_says_what_the_model_does(saved):
    record, model = read_record(saved), ConceptModel.from_pretrained(saved)
    assert (record.folder, record.kind, record.space) == (saved, model.kind, SPACE)
    assert (record.training, record.metrics) == (TRAINING, METRICS)
    assert record.fingerprint == record.identity == model.fingerprint
    assert record.version == sparsecbm_core.__version__
    assert record.max_length == model.max_length
    assert record.encoder["model_type"] == "bert"


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [
        ("cebab-minilm", "1366ed764cda7dcb"),
        ("cebab-minilm/dense", "29f560ffec8b64f0"),
        ("imdb-minilm", "37999169aa310e6c"),
        ("imdb-minilm/dense", "e2257f8039895154"),
    ],
)
def test_the_bundled_models_are_the_same_as_ever(name, fingerprint):
    """Weights and masks are held against the fingerprint as they are read. No version: files of before."""
    record = read_record(BUNDLED / name)
    assert (record.fingerprint, record.version) == (fingerprint, None)
    assert ConceptModel.from_pretrained(BUNDLED / name, "cpu").fingerprint == fingerprint


def test_an_older_folder_is_known_by_its_place_and_its_files(folder):
    rewrite(folder, fingerprint=None, version=None)
    record = read_record(folder)
    assert (record.fingerprint, record.version) == (None, None)
    assert record.identity.startswith(str(folder))
    (folder / MASKS).touch()
    assert read_record(folder).stamp != record.stamp
    assert read_record(folder).identity != record.identity


def test_a_dense_model_needs_no_masks(tmp_path):
    make_tiny("bert", density=None).save_pretrained(tmp_path / "model")
    assert read_record(tmp_path / "model").kind == "cbm"


@pytest.mark.parametrize("name", [*FILES, MASKS])
def test_what_is_missing_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"model folder: {name} is missing") as caught:
        read_record(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "model.safetensors", MASKS])
def test_what_is_cut_short_is_named(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=f"{name} is damaged") as caught:
        read_record(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"training": []}, "training must be a JSON object"),
        ({"training": {"settings": 3}}, "training must be a JSON object"),
        ({"encoder": "bert"}, "encoder must be a JSON object"),
        ({"space": 3}, "is not usable"),
        ({"max_length": "long"}, "is not usable"),
    ],
)
def test_what_is_odd_in_it_is_named(folder, values, problem):
    rewrite(folder, **values)
    with pytest.raises(CheckpointError, match=problem):
        read_record(folder)


def test_a_model_folder_is_told_from_others(saved, tmp_path):
    assert holds_model(saved)
    assert not holds_model(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert not holds_model(tmp_path)


def test_a_report_is_added_to_the_figures_and_to_the_card(folder):
    record_metrics(folder, "test", {"examples": 5, "task_accuracy": 0.25})
    assert read_record(folder).metrics == {**METRICS, "test": {"examples": 5, "task_accuracy": 0.25}}
    card = (folder / "README.md").read_text("utf-8")
    assert "On dev (3 examples)" in card
    assert "On test (5 examples)" in card
    assert ConceptModel.from_pretrained(folder).metrics == read_record(folder).metrics


def test_no_torch_is_needed(saved):
    """So that a page is painted before it is there."""
    code = (
        "import sys; from pathlib import Path; from sparsecbm_core.models.record import read_record; "
        f"read_record(Path({str(saved)!r})); assert not {{'torch', 'transformers'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=BUNDLED.parents[1])

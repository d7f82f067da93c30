"""What a stopped run cannot go on from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.training.trainer import STATE_FILE
from tests.toy import toy_reviews
from tests.training.stopping import DEV, TRAIN, Stopped, stopping_at, trainer


def renamed(data):
    """The same reviews, of concepts with other names."""
    return replace(data, space=replace(data.space, concepts=("meal", *data.space.concepts[1:])))


def voted(data):
    votes = ((0.5, 0.25, 0.25),) * 3
    return replace(data, examples=tuple(replace(example, votes=votes) for example in data))


@pytest.fixture(scope="module")
def stopped(backbone, tmp_path_factory):
    """The folder of a run stopped in the sparse phase."""
    output = tmp_path_factory.mktemp("stopped")
    with pytest.raises(Stopped):
        trainer(backbone, output, on_progress=stopping_at(15)).run()
    return output


@pytest.fixture
def folder(stopped, tmp_path):
    return Path(shutil.copytree(stopped, tmp_path / "run"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"batch_size": 4, "gamma": 2.0}, "batch_size, gamma"),
        ({"data": toy_reviews(23)}, "train"),
        ({"dev": toy_reviews(11, "dev")}, "dev"),
        ({"data": renamed(TRAIN), "dev": renamed(DEV)}, "dev, train"),
        ({"data": voted(TRAIN)}, "train"),
        ({"precision": "bfloat16"}, "precision"),
    ],
)
def test_other_settings_or_data_are_refused(backbone, folder, changes, named):
    before = (folder / "log.jsonl").read_bytes(), (folder / STATE_FILE).read_bytes()
    with pytest.raises(CheckpointError, match=rf"other settings or data \({named}\)"):
        trainer(backbone, folder, **changes).run(resume=True)
    assert before == ((folder / "log.jsonl").read_bytes(), (folder / STATE_FILE).read_bytes())


@pytest.mark.parametrize("content", [b"", b"not a state", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_damaged_state_is_refused(backbone, folder, content):
    (folder / STATE_FILE).write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged and cannot be resumed from") as caught:
        trainer(backbone, folder).run(resume=True)
    assert "\n" not in str(caught.value)


def test_a_state_without_its_tensors_is_refused(backbone, folder):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    path = folder / STATE_FILE
    with safe_open(path, framework="pt") as handle:
        metadata = handle.metadata()
    for gone in ("rng", "model/projector"):
        save_file({name: t for name, t in load_file(path).items() if name != gone}, path, metadata)
        with pytest.raises(CheckpointError, match="the saved state"):
            trainer(backbone, folder).run(resume=True)


@pytest.mark.parametrize(("what", "value"), [("dtype", torch.bfloat16), ("device", torch.device("cuda"))])
def test_resumed_elsewhere_a_run_is_refused(backbone, folder, what, value):
    """The same settings, but "auto" comes to another precision, or the device is of another kind."""
    elsewhere = trainer(backbone, folder)
    setattr(elsewhere.current, what, value)
    named = {"dtype": "precision"}.get(what, what)
    with pytest.raises(CheckpointError, match=rf"other settings or data \({named}\)"):
        elsewhere.run(resume=True)


def test_the_log_is_json_lines(stopped):
    lines = (stopped / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines][:3] == ["start", "epoch", "epoch"]

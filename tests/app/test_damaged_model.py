"""A model folder that cannot be used: one clear message and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import CARD, EXPLAIN, Start


def test_a_missing_model_gives_one_clear_message(start: Start, tmp_path: Path) -> None:
    for page in (EXPLAIN, CARD):
        app = start(folder=tmp_path / "none", page=page)
        assert not app.exception
        assert len(app.error) == 1
        assert "The model cannot be loaded" in app.error[0].value
        assert "SPARSECBM_MODEL" in app.error[0].value


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("config.json", "{}"),
        ("model.safetensors", "x"),
        ("masks.safetensors", "x"),
        ("metrics.json", "{"),
    ],
)
def test_a_damaged_model_gives_one_clear_message(
    start: Start, model_folder: Path, tmp_path: Path, name: str, content: str
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "damaged")
    (folder / name).write_text(content)
    app = start(folder=folder)
    assert not app.exception
    assert len(app.error) == 1
    assert f"damaged/{name}" in app.error[0].value.replace("\\", "")


@pytest.mark.parametrize("training", [[], "CEBaB", 3, {"settings": []}])
def test_training_that_is_no_object_gives_one_clear_message(
    start: Start, model_folder: Path, tmp_path: Path, training: Any
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "odd")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "training": training}))
    app = start(folder=folder, page=CARD)
    assert not app.exception
    assert len(app.error) == 1
    assert "training must be" in app.error[0].value

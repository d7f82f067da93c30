"""Shared by the tests of checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.models.complete import complete


@pytest.fixture(scope="module")
def saved(tmp_path_factory, tiny_model) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    complete(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))

"""Small data, a tiny encoder, and a tiny SparseCBM, for whole experiments in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsecbm_core import cli
from tests.cli.arguments import train_arguments
from tests.toy import save_backbone, write_cebab


@pytest.fixture(scope="package")
def data(tmp_path_factory) -> Path:
    return write_cebab(tmp_path_factory.mktemp("cebab"), train=16, dev=16, test=8)


@pytest.fixture(scope="package")
def backbone(tmp_path_factory) -> str:
    return save_backbone(tmp_path_factory.mktemp("encoders") / "tiny-bert")


@pytest.fixture(scope="package")
def model(tmp_path_factory, data, backbone) -> Path:
    """A trained checkpoint."""
    output = tmp_path_factory.mktemp("run")
    assert cli.main(["train", *train_arguments(output, data, backbone)]) == 0
    return output / "model"


@pytest.fixture
def reproduce(capsys, data):
    """Runs ``sparsecbm reproduce``; returns (exit code, standard output, lines of standard error)."""

    def call(*arguments):
        capsys.readouterr()
        code = cli.main(["reproduce", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return call

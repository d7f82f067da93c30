"""Shared by the tests of the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsecbm_core import cli
from tests.cli.arguments import train_arguments
from tests.toy import save_backbone, write_cebab


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = write_cebab(tmp_path_factory.mktemp("cebab"), train=16, dev=8)
    (folder / "test.json").write_text("damaged: nothing but the splits asked for may be read")
    return folder


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> str:
    return save_backbone(tmp_path_factory.mktemp("backbone") / "bert")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data, backbone) -> Path:
    """Folder of a run made from the command line."""
    output = tmp_path_factory.mktemp("run")
    assert cli.main(["train", *train_arguments(output, data, backbone)]) == 0
    return output


@pytest.fixture
def run(capsys):
    """Runs a command; returns (exit code, standard output, lines of standard error)."""

    def call(*arguments):
        capsys.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return call

"""A model is trained once; a run's folder is named after what decides it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.evaluate.parts import duration
from sparsecbm_core.experiments.estimate import Costs, step_seconds
from sparsecbm_core.experiments.lab import Lab, Run
from sparsecbm_core.training.trainer import Trainer
from tests.toy import quick_settings


@pytest.fixture(scope="module")
def dense(data, backbone, tmp_path_factory):
    """A lab with a finished dense run."""
    lab = Lab("cebab", data, runs=tmp_path_factory.mktemp("runs"), device="cpu")
    run = Run(quick_settings(backbone, kind="cbm", dense_epochs=1), "train", "dev")
    lab.model(run)
    return lab, run


def sparse(run, **values):
    settings = quick_settings(run.settings.backbone, sparse_epochs=1, **values)
    return Run(settings, "train", "dev", run)


def test_a_finished_run_is_loaded(dense, monkeypatch):
    lab, run = dense
    assert lab.has(run)
    assert lab.missing(run) == []
    monkeypatch.setattr(Trainer, "run", None)
    assert lab.model(run).masks is None


def test_what_decides_a_run_decides_its_folder(dense):
    lab, run = dense
    others = [
        replace(run, settings=replace(run.settings, seed=1)),
        replace(run, settings=replace(run.settings, gamma=2.0)),
        replace(run, train="test"),
        replace(run, settings=replace(run.settings, backbone="another/encoder")),
        sparse(run),
        sparse(replace(run, settings=replace(run.settings, gamma=2.0))),
    ]
    assert len({lab.folder(item) for item in (run, *others)}) == 7
    assert not any(map(lab.has, others))
    # What has no effect on a dense run does not count.
    assert lab.folder(replace(run, settings=replace(run.settings, sparse_epochs=9))) == lab.folder(run)


def test_the_start_is_trained_first_and_counted_once(dense):
    lab, run = dense
    costs, unknown = Costs(lab), replace(run, settings=replace(run.settings, seed=5))
    assert lab.missing(sparse(run)) == [sparse(run)]
    assert lab.missing(sparse(unknown)) == [unknown, sparse(unknown)]
    first, second = costs.of(sparse(unknown), "dev"), costs.of(sparse(unknown, seed=1), "dev")
    assert first - second == lab.units(unknown) == 2  # 16 reviews in steps of 8
    reported = []
    model = lab.model(sparse(unknown), lambda done, total, message: reported.append((done, total)))
    assert model.masks is not None
    assert lab.has(unknown)
    assert [done for done, _ in reported] == sorted(done for done, _ in reported)
    assert reported[-1][0] == reported[-1][1]


def test_a_folder_with_another_model_is_said(dense, tmp_path):
    lab, run = dense
    moved = Lab("cebab", lab.data, runs=tmp_path, device="cpu")
    folder = moved.folder(run) / "model"
    folder.mkdir(parents=True)
    config = json.loads((lab.folder(run) / "model" / "config.json").read_text(encoding="utf-8"))
    config["training"]["settings"]["gamma"] = 9.0
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"holds a model of other settings \(gamma\)"):
        moved.has(run)


def test_no_folder_of_this_machine_gets_into_results(dense):
    lab, run = dense
    assert lab.describe(run)["backbone"] == "tiny-bert"
    assert str(Path(run.settings.backbone).parent) not in json.dumps(lab.describe(sparse(run)))


@pytest.mark.parametrize("kind", ["standard", "cbm"])
def test_a_step_is_timed(dense, kind):
    lab, run = dense
    assert 0 < step_seconds(lab, replace(run, settings=replace(run.settings, kind=kind))) < 60


def test_a_length_of_time_is_said_as_people_do():
    assert [duration(s) for s in (0, 29, 31, 3570, 3600, 9000)] == [
        "less than a minute",
        "less than a minute",
        "about 1 min",
        "about 1 h 0 min",
        "about 1 h 0 min",
        "about 2 h 30 min",
    ]

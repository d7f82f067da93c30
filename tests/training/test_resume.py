"""A run that is stopped anywhere and resumed ends exactly as one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sparsecbm_core.training.trainer import STATE_FILE
from tests.training.stopping import Stopped, result, stopping_at, trainer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    """What an uninterrupted run gives, per kind, and the number of its progress reports."""
    results = {}
    for kind in ("standard", "cbm", "sequential", "independent", "sparse"):
        output, calls = tmp_path_factory.mktemp(kind), []
        model = trainer(backbone, output, 300, stopping_at(0, calls), kind=kind).run()
        results[kind] = result(model, output), len(calls)
    return results


def also(*cases):
    """Further cases of what the others show already."""
    return [pytest.param(*case, marks=pytest.mark.exhaustive) for case in cases]


# Per kind one stop in each phase: of concepts, of heads; dense, amid a mask update, sparse. Then the first
# and last reports, and between phases.
@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("standard", 0.5),
        ("cbm", 0.3),
        *[("sequential", share) for share in (0.05, 0.9)],
        ("independent", 0.6),
        *[("sparse", share) for share in (0.15, 0.45, 0.85)],
        *also(("cbm", 0.8), ("independent", 0.1)),
        *also(*[("sequential", share) for share in (0.11, 0.4, 1)]),
        *also(*[("sparse", share) for share in (0, 0.3, 0.6, 0.7, 1)]),
    ],
)
def test_resumed_anywhere_a_run_ends_the_same(backbone, tmp_path, whole, kind, share):
    expected, calls = whole[kind]
    stop = 1 + round(share * (calls - 1))
    with pytest.raises(Stopped):
        trainer(backbone, tmp_path, on_progress=stopping_at(stop), kind=kind).run()
    torch.rand(5)  # another process has another random state
    model = trainer(backbone, tmp_path, kind=kind).run(resume=True)
    assert result(model, tmp_path) == expected
    assert not (tmp_path / STATE_FILE).exists()


@pytest.mark.parametrize("share", [0.7, *also((0.3,))])
def test_what_the_dense_model_taught_is_not_forgotten(backbone, tmp_path, share):
    """The teacher is gone once the sparse phase has begun: its predictions have to be kept."""
    calls = []
    expected = trainer(backbone, tmp_path / "whole", 300, stopping_at(0, calls), distillation=0.5).run()
    on_progress = stopping_at(round(share * len(calls)))
    with pytest.raises(Stopped):
        trainer(backbone, tmp_path / "run", on_progress=on_progress, distillation=0.5).run()
    model = trainer(backbone, tmp_path / "run", distillation=0.5).run(resume=True)
    assert result(model, tmp_path / "run") == result(expected, tmp_path / "whole")


@pytest.mark.parametrize("share", [0.5, *also((0.12,), (0.95,))])
def test_a_head_phase_without_a_save_is_run_again(backbone, tmp_path, whole, share):
    """Its epochs are too short to save each: the run goes on from the last epoch of the concepts."""
    expected, calls = whole["sequential"]
    with pytest.raises(Stopped):
        trainer(backbone, tmp_path, 300, stopping_at(round(share * calls)), kind="sequential").run()
    model = trainer(backbone, tmp_path, 300, kind="sequential").run(resume=True)
    assert result(model, tmp_path) == expected


def test_stopped_again_and_again(backbone, tmp_path, whole):
    expected, _ = whole["sparse"]
    stops = 0
    while True:
        try:
            model = trainer(backbone, tmp_path, on_progress=stopping_at(8)).run(resume=True)
            break
        except Stopped:
            stops += 1
    assert stops >= 3
    assert result(model, tmp_path) == expected


@pytest.mark.parametrize("share", [0.9, *also((0.4,))])
def test_saved_once_an_epoch_it_repeats_the_rest(backbone, tmp_path, whole, share):
    """Without a save inside the epoch the log is cut back and the epoch run again."""
    expected, calls = whole["sparse"]
    with pytest.raises(Stopped):
        trainer(backbone, tmp_path, 300, stopping_at(round(share * calls))).run()
    model = trainer(backbone, tmp_path, 300).run(resume=True)
    assert result(model, tmp_path) == expected


def test_killed_while_the_finished_model_is_written(backbone, tmp_path, whole, monkeypatch):
    expected, _ = whole["sparse"]

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("sparsecbm_core.models.checkpoint.save_torch", full)
    with pytest.raises(OSError, match="disk full"):
        trainer(backbone, tmp_path).run()
    monkeypatch.undo()
    assert not (tmp_path / "model").exists()
    model = trainer(backbone, tmp_path).run(resume=True)
    assert result(model, tmp_path) == expected


def test_killed_while_the_state_is_written(backbone, tmp_path, whole, monkeypatch):
    expected, _ = whole["sparse"]
    writes = []

    def save_half(tensors, path, metadata):
        from safetensors.torch import save_file

        writes.append(path)
        if len(writes) == 5:
            path.write_bytes(b"half")
            raise Stopped
        save_file(tensors, path, metadata)

    monkeypatch.setattr("sparsecbm_core.training.state.save_file", save_half)
    with pytest.raises(Stopped):
        trainer(backbone, tmp_path).run()
    monkeypatch.undo()
    model = trainer(backbone, tmp_path).run(resume=True)
    assert result(model, tmp_path) == expected


def test_progress_goes_on_from_where_it_stopped(backbone, tmp_path):
    before, after = [], []

    def record(into, stop):
        def on_progress(done, total, _):
            into.append((done, total))
            if len(into) == stop:
                raise Stopped

        return on_progress

    with pytest.raises(Stopped):
        trainer(backbone, tmp_path, on_progress=record(before, 15)).run()
    trainer(backbone, tmp_path, on_progress=record(after, None)).run(resume=True)
    done = [value for value, _ in after]
    assert {total for _, total in before + after} == {after[-1][0]}
    assert done == sorted(done)
    assert before[-2][0] <= done[0] + 8  # nothing but the step that was lost comes again


def test_nothing_to_resume_from_starts_anew(backbone, tmp_path, whole):
    model = trainer(backbone, tmp_path).run(resume=True)
    assert result(model, tmp_path) == whole["sparse"][0]


def test_without_resume_a_run_starts_anew(backbone, tmp_path, whole):
    with pytest.raises(Stopped):
        trainer(backbone, tmp_path, on_progress=stopping_at(20)).run()
    model = trainer(backbone, tmp_path).run()
    assert result(model, tmp_path) == whole["sparse"][0]


@pytest.mark.parametrize("share", [0.7, *also((0.2,))])
def test_a_run_in_bfloat16_is_resumed_to_the_same_result(backbone, tmp_path, share):
    calls = []
    whole_run = trainer(
        backbone, tmp_path / "whole", 300, stopping_at(0, calls), precision="bfloat16", dense_epochs=1
    )
    expected = result(whole_run.run(), tmp_path / "whole")
    output = tmp_path / "run"
    on_progress = stopping_at(round(share * len(calls)))
    with pytest.raises(Stopped):
        trainer(backbone, output, on_progress=on_progress, precision="bfloat16", dense_epochs=1).run()
    model = trainer(backbone, output, precision="bfloat16", dense_epochs=1).run(resume=True)
    assert result(model, output) == expected


SCRIPT = """
import sys
from pathlib import Path
from tests.training.stopping import trainer

def on_progress(done, total, message):
    print(message, flush=True)

trainer(sys.argv[1], Path(sys.argv[2]), on_progress=on_progress).run()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "message", ["mask update 2/2: gradient 2/2", *also(("dense epoch 2/2",), ("sparse epoch 2/2",))]
)
def test_a_killed_process_is_resumed_to_the_same_result(backbone, tmp_path, whole, message):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    # the order of sums, and so the last bit, depends on the number of threads, which other tests may change
    environment["OMP_NUM_THREADS"] = str(torch.get_num_threads())
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, backbone, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    with process:
        for line in process.stdout:
            if line.strip() == message:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / STATE_FILE).is_file()
    model = trainer(backbone, tmp_path).run(resume=True)
    assert result(model, tmp_path) == whole["sparse"][0]

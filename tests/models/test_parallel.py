"""Batches read side by side."""

from __future__ import annotations

import threading

import pytest
import torch

from sparsecbm_core.models import parallel
from sparsecbm_core.models.parallel import side_by_side, workers

CPU = torch.device("cpu")


def test_torch_and_the_batches_share_the_cores(monkeypatch):
    monkeypatch.setattr(parallel.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert workers(CPU) == 2
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    assert workers(CPU) == 1
    assert workers(torch.device("meta")) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_results_keep_their_order_and_several_run_at_once(monkeypatch, count):
    monkeypatch.setattr(parallel, "workers", lambda device: count)
    together = threading.Barrier(count)

    def work(item: int) -> int:
        together.wait(timeout=10)
        return item * item

    assert side_by_side(work, range(6), CPU) == [0, 1, 4, 9, 16, 25]


def test_the_first_error_is_raised(monkeypatch):
    monkeypatch.setattr(parallel, "workers", lambda device: 2)

    def work(item: int) -> int:
        if item == 1:
            raise ValueError("the second one")
        return item

    with pytest.raises(ValueError, match="the second one"):
        side_by_side(work, range(4), CPU)


def test_readings_are_the_same_however_many_run_at_once(monkeypatch, tiny_model):
    from sparsecbm_core.intervene.reading import read_part

    encoded = tiny_model.encode([f"the soup was cold {'and slow ' * (i % 7)}" for i in range(60)])
    alone = read_part(tiny_model, encoded, "food")
    monkeypatch.setattr(parallel, "workers", lambda device: 3)
    assert torch.equal(read_part(tiny_model, encoded, "food"), alone)

"""Batches read side by side, on the cores that torch itself leaves free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def workers(device: torch.device) -> int:
    """How many batches to read at once: torch's own threads times these fill the cores of this process.

    A server that gives torch one thread, so that many visitors share the cores, can still use all of them
    for one long reading. An accelerator takes one batch after the other.
    """
    if device.type != "cpu":
        return 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, allowed // torch.get_num_threads())


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item], device: torch.device) -> list[Result]:
    """``work`` on every item, results in their order; it must set up its own torch contexts, which belong
    to a thread. The first exception is raised again here."""
    chosen, count = list(items), workers(device)
    if count == 1 or len(chosen) < 2:
        return [work(item) for item in chosen]
    with ThreadPoolExecutor(min(count, len(chosen))) as pool:
        return list(pool.map(work, chosen))

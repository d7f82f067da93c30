"""Memory that a visitor leaves behind."""

from __future__ import annotations

import gc
import weakref

import pytest

from ui.resources import memory


def test_what_is_free_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(memory, "_trim", lambda: asked.append)
    memory.give_back()
    assert asked == [0]


def test_another_c_library_than_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    memory._trim.cache_clear()
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    memory.give_back()
    assert memory._trim() is None
    memory._trim.cache_clear()


def test_what_stays_is_not_searched_again() -> None:
    kept = [[] for _ in range(10)]
    memory.leave_alone()
    try:
        assert gc.get_freeze_count() > 0
        assert not any(item is kept for item in gc.get_objects())
    finally:
        gc.unfreeze()


def test_what_only_refers_to_itself_is_freed() -> None:
    class Ring:
        own: Ring

    ring = Ring()
    ring.own = ring
    seen = weakref.ref(ring)
    gc.disable()
    try:
        del ring
        assert seen() is not None
        memory.collect()
        assert seen() is None
    finally:
        gc.enable()

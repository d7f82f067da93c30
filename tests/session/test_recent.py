"""The memory of recent explanations: bounded in number, size and time."""

from __future__ import annotations

from sparsecbm_core.session.recent import Recent


def test_the_oldest_goes_first_and_what_was_asked_for_is_young_again() -> None:
    kept: Recent[str] = Recent(entries=2, size=100, seconds=10)
    kept.put("a", "A", 1)
    kept.put("b", "B", 1)
    assert kept.get("a") == "A"
    kept.put("c", "C", 1)
    assert [kept.get(key) for key in "abc"] == ["A", None, "C"]


def test_large_results_make_room_but_the_newest_always_stays() -> None:
    kept: Recent[str] = Recent(entries=9, size=100, seconds=10)
    kept.put("a", "A", 60)
    kept.put("b", "B", 60)
    assert [kept.get(key) for key in "ab"] == [None, "B"]
    kept.put("c", "C", 1000)
    assert (kept.get("c"), len(kept)) == ("C", 1)


def test_nothing_is_kept_longer_than_its_time_even_if_it_is_asked_for() -> None:
    now = 0.0
    kept: Recent[str] = Recent(entries=9, size=100, seconds=3600, clock=lambda: now)
    kept.put("a", "A", 1)
    now = 3599.0
    assert kept.get("a") == "A"
    now = 3600.0
    assert kept.get("b") is None
    assert len(kept) == 0

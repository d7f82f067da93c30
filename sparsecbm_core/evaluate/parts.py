"""Work done part by part: what is finished is kept, and how long the rest takes is said first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sparsecbm_core.progress import OnWork, unheard

FINE = 1000  # ticks of the progress bar a unit


class Part(Protocol):
    """What is measured at one go. ``units`` is its cost; ``run`` measures it, saying how far it is."""

    @property
    def name(self) -> str: ...

    @property
    def units(self) -> float: ...

    @property
    def run(self) -> Callable[[OnWork], Any]: ...


Each = TypeVar("Each", bound=Part)


class Stopped(Exception):
    """Ctrl-C; the message says what is kept and how to go on."""


def in_turn(
    parts: Sequence[Each],
    keep: Callable[[Each, Any, float], None],
    report: OnWork = unheard,
    interrupted: Callable[[Each, float], None] = unheard,
) -> None:
    """Run each part; ``keep`` gets its result and the seconds it took, ``interrupted`` the seconds of a part
    that Ctrl-C ended."""
    units = [part.units for part in parts]
    for place, part in enumerate(parts):
        inside = stretch(report, units, place, part.name)
        inside(0, 1, "")
        started = time.monotonic()
        try:
            result = part.run(inside)
        except KeyboardInterrupt:
            interrupted(part, time.monotonic() - started)
            raise
        keep(part, result, time.monotonic() - started)


def stretch(report: OnWork, units: Sequence[float], place: int, name: str = "") -> OnWork:
    """What a part, one of several of so many ``units``, calls as it goes on: it moves its stretch of the bar.

    >>> inside = stretch(print, [1, 3], 1, "second")
    >>> inside(1, 2, "half done")
    2500 4000 second: half done
    """
    sizes = [max(1, round(FINE * size)) for size in units]
    before, size, total = sum(sizes[:place]), sizes[place], sum(sizes)

    def inside(done: int, of: int, message: str) -> None:
        now = before + round(size * min(1.0, done / max(1, of)))
        report(now, total, ": ".join(filter(None, (name, message))))

    return inside


def outlook(title: str, done: int, count: int, seconds: float, how: str) -> str:
    """What is said before the first of the parts that are left; ``how`` the time is known."""
    return (
        f"{title}: {done} of {count} parts done; {duration(seconds)} for the rest, {how}. Ctrl-C stops, the "
        "same command goes on"
    )


def stopped(done: int, count: int, path: Path | None) -> Stopped:
    """What is said after Ctrl-C; ``path`` is where the parts are kept, if they are."""
    kept = "; nothing was kept" if path is None else f" are in {path}; the same command goes on"
    return Stopped(f"stopped: {done} of {count} parts{kept}")


def duration(seconds: float) -> str:
    """A length of time as one says it.

    >>> duration(20), duration(200), duration(8000)
    ('less than a minute', 'about 3 min', 'about 2 h 13 min')
    """
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60} min"

"""How long a server asks to be left alone."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sparsecbm_core.prompted.client import Stopped


class Hold:
    """A pause that a server asked one request for: it holds for all of them, whichever thread they are in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._until, self._lock = clock, -math.inf, threading.Lock()

    def extend(self, seconds: float) -> None:
        """No request before so many seconds have passed."""
        with self._lock:
            self._until = max(self._until, self._clock() + seconds)

    def wait(self, stop: threading.Event) -> None:
        """Wait till it is over; `Stopped` if the run is stopped before or meanwhile."""
        while not stop.is_set() and (left := self._until - self._clock()) > 0:
            stop.wait(left)
        if stop.is_set():
            raise Stopped


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: a number, or a date (RFC 9110, 10.2.3).

    None where there is none or it cannot be read.

    >>> retry_after("2"), retry_after("soon")
    (2.0, None)
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        if date.tzinfo is None:  # "-0000": the time is universal, its zone unknown
            date = date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None

"""How long to wait before a request is made again."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sparsecbm_core.prompted.client import Stopped

LONGEST_WAIT = 60.0  # seconds that backing off grows to


class Waits:
    """Pauses of one endpoint, shared by its threads.

    A wait that the server asks for holds for all of them; backing off is each request's own.
    ``first`` is the longest wait, in seconds, after the first failure; it doubles from one to the next.
    """

    def __init__(self, first: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._first, self._clock = first, clock
        self._not_before = -math.inf
        self._lock = threading.Lock()

    def back_off(self, failures: int, stop: threading.Event) -> None:
        """Wait after the ``failures``-th failure in a row (from 1), a little less by chance, so that
        requests that failed together do not come back together."""
        longest = min(LONGEST_WAIT, self._first * 2.0 ** (failures - 1))
        self._wait(longest * random.uniform(0.5, 1.0), stop)

    def hold(self, seconds: float) -> None:
        """No request before so many seconds have passed."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock() + seconds)

    def my_turn(self, stop: threading.Event) -> None:
        """Wait as long as the server asked for; `Stopped` if the run is stopped before or meanwhile."""
        while True:
            with self._lock:
                left = self._not_before - self._clock()
            self._wait(max(0.0, left), stop)
            if left <= 0:
                return

    @staticmethod
    def _wait(seconds: float, stop: threading.Event) -> None:
        if stop.wait(seconds):
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

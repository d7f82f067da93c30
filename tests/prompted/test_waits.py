"""How long a request waits before it is made again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from sparsecbm_core.prompted.client import Stopped
from sparsecbm_core.prompted.waits import LONGEST_WAIT, Waits, retry_after

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("2", 2.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_the_time_a_server_asks_for(value, seconds):
    assert retry_after(value, NOW) == seconds


class Recorded(threading.Event):
    """Never set; notes how long it was waited for, and moves a clock by that."""

    def __init__(self):
        super().__init__()
        self.seconds, self.now = [], 0.0

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        self.now += timeout
        return self.is_set()


def test_backing_off_doubles_up_to_a_bound():
    stop = Recorded()
    for failures in range(1, 12):
        Waits(first=1.0).back_off(failures, stop)
    longest = [min(LONGEST_WAIT, 2.0**n) for n in range(11)]
    assert all(most / 2 <= waited <= most for waited, most in zip(stop.seconds, longest, strict=True))


def test_a_wait_asked_for_holds_for_every_request():
    stop = Recorded()
    waits = Waits(clock=lambda: stop.now)
    waits.my_turn(stop)
    assert stop.now == 0
    waits.hold(5)
    waits.hold(2)  # a shorter one does not take back a longer one
    waits.my_turn(stop)
    assert stop.now == 5
    waits.my_turn(stop)
    assert stop.now == 5


def test_a_stopped_run_waits_no_longer():
    stop = threading.Event()
    stop.set()
    for wait in (lambda: Waits().my_turn(stop), lambda: Waits(first=1000).back_off(1, stop)):
        with pytest.raises(Stopped):
            wait()

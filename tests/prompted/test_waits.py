"""How long a request waits before it is made again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from sparsecbm_core.prompted.client import Stopped
from sparsecbm_core.prompted.waits import Hold, retry_after
from tests.prompted.recorded import Recorded

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


def test_a_wait_asked_for_holds_for_every_request():
    stop = Recorded()
    hold = Hold(clock=lambda: stop.now)
    hold.wait(stop)
    assert stop.now == 0
    hold.extend(5)
    hold.extend(2)  # a shorter one does not take back a longer one
    hold.wait(stop)
    assert stop.now == 5
    hold.wait(stop)
    assert stop.now == 5


def test_a_stopped_run_waits_no_longer():
    stop = threading.Event()
    stop.set()
    hold = Hold()
    hold.extend(1000)
    with pytest.raises(Stopped):
        hold.wait(stop)

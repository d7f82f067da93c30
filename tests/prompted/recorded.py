"""An event that passes the time in no time."""

from __future__ import annotations

import threading


class Recorded(threading.Event):
    """Never set; notes how long it was waited for, and moves a clock by that."""

    def __init__(self):
        super().__init__()
        self.seconds, self.now = [], 0.0

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        self.now += timeout
        return self.is_set()

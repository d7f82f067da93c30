"""A bounded memory of recent results, shared by all sessions."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Entry(Generic[Result]):
    result: Result
    size: int
    until: float


class Recent(Generic[Result]):
    """The last ``entries`` results of at most ``size`` together, for ``seconds`` each.

    Unlike `st.cache_data` it can be asked whether a result is there without computing it. The newest
    result is always kept, however large.
    """

    def __init__(
        self, entries: int, size: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._entries, self._size, self._seconds, self._clock = entries, size, seconds, clock
        self._kept: OrderedDict[Hashable, _Entry[Result]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Result | None:
        with self._lock:
            self._forget()
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key].result

    def put(self, key: Hashable, result: Result, size: int) -> None:
        with self._lock:
            self._kept[key] = _Entry(result, size, self._clock() + self._seconds)
            self._kept.move_to_end(key)
            self._forget()

    def _forget(self) -> None:
        now = self._clock()
        for key in [key for key, entry in self._kept.items() if entry.until <= now]:
            del self._kept[key]
        total = sum(entry.size for entry in self._kept.values())
        while len(self._kept) > 1 and (len(self._kept) > self._entries or total > self._size):
            total -= self._kept.popitem(last=False)[1].size

    def __len__(self) -> int:
        return len(self._kept)

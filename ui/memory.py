"""Memory that is free inside the process, given back to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Return what the C library keeps for later.

    It keeps a pool for every thread, and a correction works in new threads of each session: without this
    every visitor leaves some hundred megabytes that nobody uses. Takes milliseconds; nothing where the C
    library is another one than glibc.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # no glibc; TypeError on Windows
        return None
    return trim

"""Memory of the server's process: what is free goes back to the system, what stays is not searched."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from functools import cache


def leave_alone() -> None:
    """Have the garbage collector pass over everything there is now: libraries and a model, made to stay.

    Half a million objects take a quarter of a second to search, in which no other thread works.
    """
    gc.collect()
    gc.freeze()


def collect() -> None:
    """Free what only refers to itself: a correction leaves a model's weights in such rings.

    Python would find them by itself, but counts objects and not their megabytes.
    """
    gc.collect()


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

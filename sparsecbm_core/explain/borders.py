"""Where a text may be cut: never inside what a reader sees as one character, and between words also where a
script writes no spaces between them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterator
from functools import cache
from itertools import accumulate

import regex

# Thai, Lao, Burmese and Khmer: what ICU has dictionaries for. All are in Unicode's basic plane, where ICU
# counts positions as Python does.
_UNSPACED_RUN = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f]+"
)
_CLUSTER = regex.compile(r"\X")


class Characters:
    """A text's characters as readers count them: extended grapheme clusters (Unicode, UAX #29).

    >>> Characters("cafe\\u0301").around(3, 4)
    (3, 5)
    """

    def __init__(self, text: str) -> None:
        lengths = () if text.isascii() else map(len, _CLUSTER.findall(text))
        self._ends = list(accumulate(lengths))  # none where every character is one

    def around(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) out to whole characters."""
        if not self._ends:
            return start, end
        before = bisect_right(self._ends, start)
        return (self._ends[before - 1] if before else 0), self._ends[bisect_left(self._ends, end)]


def unspaced_borders(text: str) -> Container[int]:
    """Where words of scripts without spaces begin and end, by ICU's dictionaries (optional: ``icu4py``).

    Without them every index inside such a stretch is one: it then stays as the tokenizer cut it.

    >>> 3 in unspaced_borders("tea at 8")
    False
    """
    return frozenset(border for run in _UNSPACED_RUN.finditer(text) for border in _borders(run))


def _borders(run: re.Match[str]) -> Iterator[int]:
    yield from run.span()
    segments = _segments(run.group())
    yield from range(*run.span()) if segments is None else (run.start() + end for end in segments)


def _segments(text: str) -> list[int] | None:
    """The ends of the words of a stretch; None where there is no dictionary."""
    if not has_dictionaries():
        return None
    from icu4py.breakers import WordBreaker

    return [end for _, end in WordBreaker(text, "und").segments()]


@cache
def has_dictionaries() -> bool:
    """Whether ICU is installed."""
    from importlib.util import find_spec

    return find_spec("icu4py") is not None

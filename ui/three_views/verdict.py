"""What a test of words showed, in one or two sentences that hold its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparsecbm_core.figures import percent
from ui.text import counted

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.word_removal import WordRemoval

# A smaller difference of two probabilities is none: after rounding both may read the same.
LEAST = 0.02


def verdict(found: WordRemoval, attention: str, pathway: str, concept: str, state: str) -> str:
    """``attention`` and ``pathway`` name two rankings of the test; the others are what a person reads."""
    looks, path = found.rankings[attention].remaining, found.rankings[pathway].remaining
    place = len(found.counts) // 2
    count = found.counts[place]
    words = "word" if count == 1 else counted(count, "word")
    return (
        f"With the whole review, {concept} is {state} with {percent(found.probability)}. Without the "
        f"{words} marked most, {percent(path[place])} remain by the "
        f"pathway, {percent(looks[place])} by attention, and {percent(found.random[place])} without "
        "as many random words. "
        f"{_compared(found, looks, path, concept)}{_against_chance(found, looks, path)}"
    )


def _compared(found: WordRemoval, looks: Sequence[float], path: Sequence[float], concept: str) -> str:
    wins, losses = _less(found, path, looks), _less(found, looks, path)
    if wins and losses:
        return (
            f"Which one finds the words that {concept} is read from depends on how many are taken out: the "
            f"pathway with {_numbers(wins)}, attention with {_numbers(losses)}."
        )
    if wins:
        return (
            f"Here the pathway marks what {concept} is read from better than attention{_when(found, wins)}."
        )
    if losses:
        return f"Here attention does better: it marks what {concept} is read from{_when(found, losses)}."
    return "Here neither does better than the other."


def _against_chance(found: WordRemoval, looks: Sequence[float], path: Sequence[float]) -> str:
    """What does no better than random words with any number of them."""
    behind = [
        name
        for name, values in (("the pathway", path), ("attention", looks))
        if not _less(found, values, found.random)
    ]
    if not behind:
        return ""
    if len(behind) == 2:
        return " Neither takes more away than random words do."
    return f" Random words take as much away as those of {behind[0]}."


def _less(found: WordRemoval, one: Sequence[float], other: Sequence[float]) -> list[int]:
    """The numbers of words with which ``one`` leaves less than ``other``."""
    return [
        count
        for count, first, second in zip(found.counts, one, other, strict=True)
        if second - first >= LEAST
    ]


def _when(found: WordRemoval, counts: Sequence[int]) -> str:
    if len(counts) == len(found.counts):
        return ""
    return f" (with {_numbers(counts)} taken out; no difference otherwise)"


def _numbers(counts: Sequence[int]) -> str:
    """
    >>> _numbers([1]), _numbers([1, 3]), _numbers([3, 5])
    ('1 word', '1 or 3 words', '3 or 5 words')
    """
    return f"{' or '.join(map(str, counts))} word{'' if list(counts) == [1] else 's'}"

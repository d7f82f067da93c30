"""A reason for caution, and where a number becomes one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Doubt:
    """A reason for caution: what it is about, and what was measured. Plain text."""

    about: str
    text: str


@dataclass(frozen=True)
class Limits:
    """Where a number becomes a warning; shares, and differences of shares.

    ``wide``: half the width of the label's interval. ``found`` and ``true``: least recall and precision of a
    state or label, of those that occur ``rare`` times at least. ``leak``: labels that the shades add to the
    states. ``helps``: least gain of the label with all concepts set right. ``gap``: mean distance of
    confidence and accuracy beyond what chance gives; ``sure`` answers are looked at apart, ``rare`` of them
    at least. Fewer than ``rare`` reviews for the words, or corrections, are a warning of their own.
    ``apart``: least loss through another subnetwork. ``reached``, ``unchanged`` and ``hold``: least shares of
    corrections that work, of readings elsewhere that stay, and of earlier corrections in a chain. ``harm``:
    most that corrections may cost in accuracy. ``foretold``: least share of an edited text's effect on the
    label that setting the concept accounts for.
    """

    wide: float = 0.05
    found: float = 0.6
    true: float = 0.6
    rare: int = 20
    leak: float = 0.05
    helps: float = 0.02
    gap: float = 0.05
    sure: float = 0.9
    apart: float = 0.05
    reached: float = 0.95
    unchanged: float = 0.98
    hold: float = 0.9
    harm: float = 0.01
    foretold: float = 0.25


LIMITS = Limits()
LISTED = 5  # states or labels that one sentence names


def first(sentences: list[tuple[float, str]]) -> str:
    """The worst few, and how many more there are."""
    said = "; ".join(text for _, text in sentences[:LISTED])
    more = len(sentences) - LISTED
    return f"{said}; and {more} more" if more > 0 else said

"""A correction as one visitor's session knows it: what was asked for, how, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsecbm_core.intervene.guard import GuardReport
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.intervene.results import Intervention

NEEDED, ALWAYS, NEVER = CARES = ("needed", "always", "never")
TOLERATED = 2
LONGEST_TEXT = 200_000  # characters of a review


@dataclass(frozen=True)
class Request:
    """``concept`` of a text is to be read as ``state``."""

    text: str
    concept: str
    state: str


@dataclass(frozen=True)
class Settings:
    """How to correct.

    ``r`` is a share of the prunable weights, None for the smallest that works. ``scope``: "everywhere", or
    "similar" for a correction that holds for reviews like the corrected one alone. ``care`` says when earlier
    corrections of the session, and guard reviews near the boundary, have a say in which bits are flipped,
    which takes seconds: "needed" is where more than `TOLERATED` readings would break otherwise.
    ``confidence`` is how likely the corrected state is to be, as long as guard reviews stay as they are.
    ``most_broken`` is how many may break before it asks first. ``seed`` is for the rule "random".
    """

    rule: str = "guarded"
    r: float | None = None
    scope: str = "everywhere"
    care: str = NEEDED
    most_broken: int = 5
    seed: int = 0
    confidence: float = 0.6

    @property
    def can_care(self) -> bool:
        """Only this way of choosing bits knows how to spare single readings."""
        return self.rule == "guarded" and self.r is None and self.scope == "everywhere"


@dataclass(frozen=True)
class Correction:
    """A patch in use in a session.

    ``intervention``, ``report`` and ``text`` are there where it was made in this session; ``kept`` is its
    number in the ledger, None while it is not kept. ``earlier`` counts corrections of the same concept that
    held before, and those of them that hold after, ``before`` names the edits of the chain it was made on
    top of, and ``guard`` is the fingerprint of the reviews that ``report`` is of.

    It holds flips, some numbers and the review's text, never weights: a few kB.
    """

    patch: Patch
    text: str | None = None
    intervention: Intervention | None = None
    report: GuardReport | None = None
    kept: int | None = None
    earlier: tuple[int, int] = (0, 0)
    before: tuple[str, ...] = ()
    guard: str | None = None

    @property
    def fingerprint(self) -> str:
        """What tells one correction from another: the fingerprint of its flips."""
        return self.patch.edit.fingerprint()

    def ends(self, chain: Corrections) -> bool:
        """Whether a chain is as this correction left it: what was read then is what is read now."""
        return [item.fingerprint for item in chain] == [*self.before, self.fingerprint]


# A chain: each was made on top of those before it.
Corrections = tuple[Correction, ...]


@dataclass(frozen=True)
class Attempt:
    """What came of a request: an ``intervention``, and where that reached the state a ``correction``.

    This can be taken over, and with ``asks`` only after a yes: it breaks more than the settings allow.
    """

    request: Request
    intervention: Intervention
    correction: Correction | None = None
    asks: bool = False

    @property
    def harm(self) -> int:
        """Readings of guard reviews that break, and earlier corrections that no longer hold."""
        found = self.correction
        if found is None:
            return 0
        held, hold = found.earlier
        return held - hold + (0 if found.report is None else broken_readings(found.report))


@dataclass(frozen=True)
class Failure:
    """Why a request could not be tried at all."""

    request: Request
    problem: str


def broken_readings(report: GuardReport) -> int:
    """Concepts and labels of guard reviews that were right and no longer are."""
    return report.concept.broken + report.other_concepts.broken + report.label.broken

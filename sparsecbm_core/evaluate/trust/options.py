"""What a report measures, and on how many reviews."""

from __future__ import annotations

from dataclasses import dataclass, field

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.explain.tokens.registry import METHODS

FILE_NAME = "evaluation.json"  # beside the model
# In the order in which they are measured: the quick ones first.
PARTS = (
    "accuracy",
    "leakage",
    "corrections",
    "calibration",
    "effects",
    "interventions",
    "subnetworks",
    "words",
)
WORDS = "words"  # one part for each token method


@dataclass(frozen=True)
class ReportOptions:
    """``subnetwork_reviews`` and ``word_reviews`` are seeded draws for the parts that take longest.

    ``word_methods`` are the token methods that "words" measures, ``draws`` the resamplings of an interval,
    ``curve_draws`` the random orders of correction, ``reference_reviews`` how many of the reference split
    are read.
    """

    parts: tuple[str, ...] = PARTS
    word_methods: tuple[str, ...] = field(default_factory=lambda: tuple(METHODS))
    word_reviews: int = 40
    subnetwork_reviews: int = 400
    reference_reviews: int = 500
    draws: int = 2000
    curve_draws: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.parts:
            if name not in PARTS:
                raise InputError(one_of(name, PARTS, "part"))
        if not self.parts:
            raise InputError(f"no part to measure; choose from: {', '.join(PARTS)}")
        for name in self.word_methods:
            if name not in METHODS:
                raise InputError(one_of(name, METHODS, "token method"))
        for count in ("word_reviews", "subnetwork_reviews", "reference_reviews", "draws", "curve_draws"):
            if getattr(self, count) < 1:
                raise InputError(f"{count} must be at least 1, got {getattr(self, count)}")

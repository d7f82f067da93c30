"""How well corrections work, rule by rule, as ``sparsecbm intervene-eval`` measures it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sparsecbm_core.evaluate.trust.numbers import Count, Positive, Share


@dataclass(frozen=True)
class RuleResult:
    """One rule of correction over all pairs, each corrected on the pristine model.

    ``efficacy``: share that is right when the same text comes again (0 for the oracle, by its nature).
    ``r_median``: share of the prunable weights dropped. ``weights_flipped_median``: share flipped.
    ``guard_unchanged`` and ``guard_accuracy_delta`` are means over corrections, by target.
    ``generalisation``: of the other edits of the same reviews with the same gold state, the share
    that is right, before and after.
    """

    pairs: Count
    efficacy: Share
    r_median: Share
    weights_flipped_median: Share
    guard_unchanged: Mapping[str, Share]
    guard_accuracy_delta: Mapping[str, float]
    generalisation: Mapping[str, float | int | None]
    seconds_median: Positive


@dataclass(frozen=True)
class ChainResult:
    """A model corrected ``corrections`` times without reset: on the guard reviews, and looking back.

    ``still_right``: share of the earlier corrections that hold. ``drift``: bits that differ from the
    pristine masks. ``protected``: whether each correction took care of the earlier ones and of labelled
    reviews near the boundary. ``seconds_median``: of one correction, those included that were right already.
    """

    corrections: Count
    concept_accuracy: Share
    label_accuracy: Share
    concept_accuracy_start: Share
    label_accuracy_start: Share
    still_right: Share
    drift: Count
    protected: bool = False
    seconds_median: Positive = 0.0


@dataclass(frozen=True)
class Interventions:
    """Rules of correction, and chains by rule; ``guard`` reviews measured what else changed."""

    guard: Count
    rules: Mapping[str, RuleResult]
    sequential: Mapping[str, tuple[ChainResult, ...]]

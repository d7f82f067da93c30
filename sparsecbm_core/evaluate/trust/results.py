"""What a report on a model holds, part by part: plain numbers, that are written to JSON and read back.

Names of concepts, states and labels are those of the model. Nothing here needs torch, so that a page can
show a report before the model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sparsecbm_core.evaluate.trust.interventions import Interventions
from sparsecbm_core.evaluate.trust.numbers import Count, Positive, Share

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.intervals import Interval

SCHEMA_VERSION = 1
Matrix = tuple[tuple[Share, ...], ...]


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its 95 % interval, None where nothing could be resampled."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, interval: Interval) -> Estimate:
        return cls(interval.value, interval.low, interval.high)


@dataclass(frozen=True)
class Tally:
    """How often a state or label is ``gold``, is ``predicted``, and both at once (``right``)."""

    gold: Count
    predicted: Count
    right: Count

    @property
    def found(self) -> float | None:
        """Share of the gold ones that is predicted (recall)."""
        return self.right / self.gold if self.gold else None

    @property
    def true(self) -> float | None:
        """Share of the predicted ones that is gold (precision)."""
        return self.right / self.predicted if self.predicted else None


@dataclass(frozen=True)
class Score:
    """The label, or one concept. ``majority``: accuracy of always saying the most frequent gold class."""

    accuracy: Estimate
    macro_f1: Estimate
    majority: Share
    classes: Mapping[str, Tally]


@dataclass(frozen=True)
class Accuracy:
    """``concept_…`` are means over concepts. Intervals draw whole ``groups`` of reviews."""

    label: Score
    concepts: Mapping[str, Score]
    concept_accuracy: Estimate
    concept_macro_f1: Estimate
    groups: Count


@dataclass(frozen=True)
class Leakage:
    """Label accuracy read from gold states, from predicted states (``hard``), and the model's own (``soft``).

    ``gain`` is soft − hard, review by review. None where the model has no reference head.
    """

    gold: Estimate | None
    hard: Estimate | None
    soft: Estimate
    gain: Estimate | None


@dataclass(frozen=True)
class HandCurve:
    """Label accuracy with 0 … K concepts looked at, by ``values`` and in ``order``.

    ``replaced`` "all": each of them is set to its gold state, as Koh et al. do; "wrong": only where the
    model's state is another, as a person does who leaves alone what is right. ``accuracy`` (K+1) is the mean
    over ``draws`` orders and ``std`` (K+1) their standard deviation, 0 for an order without chance.
    ``concept_accuracy`` (K+1): share of concepts that are then right.
    """

    values: str
    order: str
    replaced: str
    accuracy: tuple[Share, ...]
    std: tuple[Positive, ...]
    concept_accuracy: tuple[Share, ...]
    draws: Count


@dataclass(frozen=True)
class HandCorrections:
    """All curves; ``reference`` names the reviews that the "typical" values are from."""

    reference: Mapping[str, str] | None
    curves: tuple[HandCurve, ...]


@dataclass(frozen=True)
class Reliability:
    """The predicted class's confidence against how often it is right, in B bins of equal width.

    ``edges`` (B+1) from 0 to 1; ``confidence``, ``accuracy`` and ``count`` (B): means inside a bin, None
    where it is empty. ``ece`` is the mean distance of the two, each bin weighted by its count.
    """

    edges: tuple[Share, ...]
    confidence: tuple[Share | None, ...]
    accuracy: tuple[Share | None, ...]
    count: tuple[Count, ...]
    ece: Share


@dataclass(frozen=True)
class Scaled:
    """Reliability on one half of the reviews, without and with a temperature fitted on the other half."""

    temperature: Positive
    before: Reliability
    after: Reliability
    nll_before: Positive
    nll_after: Positive


@dataclass(frozen=True)
class CalibrationHalves:
    """``fitted`` reviews gave the temperatures, ``measured`` others the tables."""

    fitted: Count
    measured: Count
    label: Scaled
    concepts: Mapping[str, Scaled]


@dataclass(frozen=True)
class Subnetworks:
    """``swapped[k][j]``: accuracy of concept k read through the subnetwork of j.

    ``removed[k][j]``: accuracy of concept j after the weights of subnetwork k are taken out of all of them;
    ``lost[k][j]``: share of the weights of subnetwork j that goes with them. ``majority`` as in `Score`.
    """

    concepts: tuple[str, ...]
    swapped: Matrix
    majority: tuple[Share, ...]
    removed: Matrix
    lost: Matrix

    @property
    def own(self) -> tuple[float, ...]:
        """Accuracy of each concept through its own whole subnetwork."""
        return tuple(row[k] for k, row in enumerate(self.swapped))

    def drop(self, removed: int, read: int) -> float:
        """What concept ``read`` loses without the weights of concept ``removed``."""
        return self.own[read] - self.removed[removed][read]


@dataclass(frozen=True)
class Ranking:
    """What the predicted state loses: without the first words of a ranking (``comprehensiveness``, high is
    good) and with nothing but them (``sufficiency``, low is good), as probabilities; curves over shares."""

    comprehensiveness: float
    sufficiency: float
    comprehensiveness_curve: tuple[float, ...]
    sufficiency_curve: tuple[float, ...]


@dataclass(frozen=True)
class Margin:
    """A method minus a control, pair by pair."""

    comprehensiveness: Estimate
    sufficiency: Estimate


@dataclass(frozen=True)
class WordScores:
    """One token method over ``pairs`` of a review and a concept that it mentions, beside its controls.

    ``rankings`` and ``margins`` by name: "own", "random" and, for models with subnetworks, "mask_swap" (the
    words as another concept's subnetwork sees them). Both are empty where nothing was mentioned. ``skipped``
    reviews had no word that the tokenizer knows.
    """

    reviews: Count
    skipped: Count
    pairs: Count
    shares: tuple[Share, ...]
    rankings: Mapping[str, Ranking]
    margins: Mapping[str, Margin]


@dataclass(frozen=True)
class EffectError:
    """Mean distances of estimated from true effects on the label's probabilities."""

    l2: Estimate
    cosine: float
    norm_difference: Positive


@dataclass(frozen=True)
class Effects:
    """ICaCE-Error by estimator over counterfactual ``pairs``; see `evaluate.causal`."""

    pairs: Count
    estimators: Mapping[str, EffectError]


Result = TypeVar("Result")


@dataclass(frozen=True)
class Measured(Generic[Result]):
    """A part with what it was measured on: ``examples`` reviews (or pairs) of ``data``.

    ``result`` is None where the measure does not apply to this model or data; ``skipped`` then says why.
    ``seconds`` are None where they are not known.
    """

    data: Mapping[str, str]
    examples: Count
    seed: int
    seconds: Positive | None
    settings: Mapping[str, Any]
    result: Result | None
    skipped: str | None = None


@dataclass(frozen=True)
class Names:
    """What the model speaks of."""

    concepts: tuple[str, ...]
    states: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class ModelReport:
    """All parts measured so far of the model with fingerprint ``model``; ``words`` by token method."""

    model: str
    names: Names
    accuracy: Measured[Accuracy] | None = None
    leakage: Measured[Leakage] | None = None
    corrections: Measured[HandCorrections] | None = None
    calibration: Measured[CalibrationHalves] | None = None
    subnetworks: Measured[Subnetworks] | None = None
    effects: Measured[Effects] | None = None
    words: Mapping[str, Measured[WordScores]] = field(default_factory=dict)
    interventions: Measured[Interventions] | None = None
    schema_version: int = SCHEMA_VERSION

    def part(self, name: str, method: str | None = None) -> Measured[Any] | None:
        """A part by name; of "words" the one of a token method."""
        return self.words.get(method) if method is not None else getattr(self, name)

    def with_part(self, name: str, measured: Measured[Any] | None, method: str | None = None) -> ModelReport:
        """The report with one more part, or one measured anew; None: as if it had not been measured."""
        if method is None:
            changed: dict[str, Any] = {name: measured}
            return replace(self, **changed)
        words = {**self.words, method: measured}
        return replace(self, words={known: one for known, one in words.items() if one is not None})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in these classes."""
        return asdict(self)

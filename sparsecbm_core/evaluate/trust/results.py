"""What a report on a model holds, part by part: plain numbers, that are written to JSON and read back.

Names of concepts, states and labels are those of the model. Nothing here needs torch, so that a page can
show a report before the model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field

SCHEMA_VERSION = 1
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=0)]
Matrix = tuple[tuple[Share, ...], ...]


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its 95 % interval, None where nothing could be resampled."""

    value: float
    low: float | None
    high: float | None


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
    """Label accuracy with 0 … K concepts set to their gold state, as `evaluate.curves.Curve`."""

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
    """Confidence and accuracy in B bins, as `evaluate.calibration.ReliabilityTable`."""

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
    """ICaCE-Error by estimator over counterfactual ``pairs``, as `evaluate.causal.CausalEffects`."""

    pairs: Count
    estimators: Mapping[str, EffectError]


@dataclass(frozen=True)
class RuleResult:
    """One rule of correction, as `evaluate.interventions.RuleFigures`."""

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
    """A chain of corrections without reset, as `evaluate.interventions.ChainFigures`."""

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

    def with_part(self, name: str, measured: Measured[Any], method: str | None = None) -> ModelReport:
        """The report with one more part, or with one measured anew."""
        changed: dict[str, Any] = {name: measured}
        if method is not None:
            changed = {"words": {**self.words, method: measured}}
        return replace(self, **changed)

    def without(self, name: str, method: str | None = None) -> ModelReport:
        """The report as if a part had not been measured."""
        changed: dict[str, Any] = {name: None}
        if method is not None:
            changed = {"words": {known: one for known, one in self.words.items() if known != method}}
        return replace(self, **changed)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in these classes."""
        return asdict(self)

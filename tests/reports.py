"""A report on a model, made by hand: figures without a fault, of which a test changes those it is about."""

from __future__ import annotations

from typing import Any, TypeVar

from sparsecbm_core.concepts import DEFAULT_STATES, ConceptSpace
from sparsecbm_core.evaluate.trust.interventions import ChainResult, Interventions, RuleResult
from sparsecbm_core.evaluate.trust.results import (
    Accuracy,
    CalibrationHalves,
    EffectError,
    Effects,
    Estimate,
    HandCorrections,
    HandCurve,
    Leakage,
    Margin,
    Measured,
    ModelReport,
    Names,
    Ranking,
    Reliability,
    Scaled,
    Score,
    Subnetworks,
    Tally,
    WordScores,
)

PAIR = ConceptSpace(("food", "service"), DEFAULT_STATES, ("bad", "good"), {"food": "Food"})
Result = TypeVar("Result")


def measured(result: Result, split: str = "dev", **values: Any) -> Measured[Result]:
    known: dict[str, Any] = {"examples": 400, "seed": 0, "seconds": 2.0, "settings": {"draws": 2000}}
    data = {"name": "toy", "split": split, "fingerprint": "ab12"}
    return Measured(data=data, result=result, **{**known, **values})


def near(value: float, half: float = 0.02) -> Estimate:
    return Estimate(value, value - half, value + half)


def score(classes: tuple[str, ...], accuracy: float = 0.9, found: int = 95) -> Score:
    return Score(near(accuracy), near(accuracy - 0.05), 0.5, {n: Tally(100, 100, found) for n in classes})


def table(accuracy: float, confidence: float, count: int = 300) -> Reliability:
    """Three bins, all answers in the last."""
    return Reliability(
        (0.0, 1 / 3, 2 / 3, 1.0),
        (None, None, confidence),
        (None, None, accuracy),
        (0, 0, count),
        abs(accuracy - confidence),
    )


def scaled(accuracy: float = 0.9, confidence: float = 0.91, after: float = 0.9) -> Scaled:
    return Scaled(1.5, table(accuracy, confidence), table(accuracy, after), 0.5, 0.4)


def curve(accuracy: tuple[float, ...], replaced: str = "wrong", order: str = "random") -> HandCurve:
    zeros = (0.0,) * len(accuracy)
    return HandCurve("one_hot", order, replaced, accuracy, zeros, (0.9,) * len(accuracy), 20)


def words(random: Estimate, swap: Estimate | None = None) -> WordScores:
    ranking = Ranking(0.4, 0.1, (0.3, 0.5), (0.2, 0.0))
    margins = {"random": Margin(random, near(-0.1))}
    if swap is not None:
        margins["mask_swap"] = Margin(swap, near(-0.1))
    return WordScores(40, 0, 70, (0.5, 1.0), {"own": ranking, **dict.fromkeys(margins, ranking)}, margins)


def rule(efficacy: float = 1.0, unchanged: float = 0.99, delta: float = 0.0) -> RuleResult:
    targets = ("concept", "other_concepts", "label")
    return RuleResult(
        40,
        efficacy,
        1e-5,
        2e-5,
        dict.fromkeys(targets, unchanged),
        dict.fromkeys(targets, delta),
        {"before": 0.5, "after": 0.75, "siblings": 12},
        1.5,
    )


def chain(still_right: float = 0.95, label: float = 0.7) -> ChainResult:
    return ChainResult(50, 0.9, label, 0.9, 0.7, still_right, 900)


def made_report(model: str = "0" * 16, space: ConceptSpace = PAIR, split: str = "dev") -> ModelReport:
    """Every part, for any concepts and labels: subnetworks that are their own, words that matter."""
    concepts, size = space.concepts, len(space.concepts)

    def matrix(own: float, other: float) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(own if i == j else other for j in range(size)) for i in range(size))

    accuracy = Accuracy(
        score(space.labels, 0.8),
        {name: score(space.states) for name in concepts},
        near(0.9),
        near(0.85),
        100,
    )
    rising = tuple(0.8 + 0.1 * n / size for n in range(size + 1))
    falling = tuple(0.8 - 0.1 * n / size for n in range(size + 1))
    return ModelReport(
        model,
        Names(space.concepts, space.states, space.labels),
        accuracy=measured(accuracy, split),
        leakage=measured(Leakage(near(0.81), near(0.78), near(0.8), near(0.02)), split),
        corrections=measured(HandCorrections(None, (curve(rising), curve(falling, "all"))), split),
        calibration=measured(
            CalibrationHalves(200, 200, scaled(), {name: scaled() for name in concepts}), split
        ),
        subnetworks=measured(
            Subnetworks(concepts, matrix(0.9, 0.5), (0.5,) * size, matrix(0.4, 0.85), matrix(1.0, 0.2)),
            split,
        ),
        effects=measured(
            Effects(
                30,
                {
                    "one_hot": EffectError(near(0.3), 0.2, 0.1),
                    "zero": EffectError(near(0.7), 1.0, 0.7),
                },
            ),
            split,
        ),
        words={"occlusion": measured(words(near(0.2), near(0.1)), split, examples=40)},
        interventions=measured(
            Interventions(200, {"guarded": rule()}, {"guarded": (chain(),)}), split, seconds=None
        ),
    )

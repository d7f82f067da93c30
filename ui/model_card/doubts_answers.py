"""Doubts about what a model says: labels and concepts, how they hang together, how sure it is of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import percent, precise_percent
from ui.model_card.accuracy import tallies
from ui.model_card.calibration import by_chance, sure_and_right
from ui.model_card.doubt import Doubt, Limits, first
from ui.model_card.hand import as_by_hand
from ui.widgets.exhibits import ends, points, signed_ends

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import (
        Accuracy,
        CalibrationHalves,
        Leakage,
        ModelReport,
        Scaled,
        Score,
    )

HOTTEST = 100.0  # beyond that a temperature makes a guess of every answer, and mends nothing


def accuracy(found: Accuracy, examples: int, space: ConceptSpace, limits: Limits) -> Iterator[Doubt]:
    label = found.label.accuracy
    if label.low is not None and label.high is not None and label.high - label.low > 2 * limits.wide:
        yield Doubt(
            "Few reviews.",
            f"Measured on {examples:,} reviews, the share of right labels could be anywhere from "
            f"{precise_percent(label.low)} to {precise_percent(label.high)}.",
        )
    if _is_no_better(found.label):
        yield Doubt(
            "The label: no better than one answer for all.", f"{_against(found.label, space.label_title)}."
        )
    poor = sorted(
        (score.accuracy.value - score.majority, f"{space.title(name)}: {_against(score, space.title)}")
        for name in space.concepts
        if _is_no_better(score := found.concepts[name])
    )
    if poor:
        yield Doubt("Concepts read no better than by one answer for all.", f"{first(poor)}.")
    rows = tallies(found, space)
    missed = sorted(
        (tally.found, f"{title}, {name}: {tally.right:,} of {tally.gold:,} ({percent(tally.found)})")
        for title, name, tally in rows
        if tally.gold >= limits.rare and tally.found is not None and tally.found < limits.found
    )
    if missed:
        yield Doubt("Often overlooked.", f"Found of those that people marked: {first(missed)}.")
    wrong = sorted(
        (tally.true, f"{title}, {name}: {tally.right:,} of {tally.predicted:,} ({percent(tally.true)})")
        for title, name, tally in rows
        if tally.predicted >= limits.rare and tally.true is not None and tally.true < limits.true
    )
    if wrong:
        yield Doubt("Often said wrongly.", f"Right of those that the model said: {first(wrong)}.")


def _is_no_better(score: Score) -> bool:
    """Whether always saying the most frequent answer could be as good, by the lower end of the interval."""
    low = score.accuracy.value if score.accuracy.low is None else score.accuracy.low
    return low <= score.majority


def _against(score: Score, title: Callable[[str], str]) -> str:
    best = title(max(score.classes, key=lambda name: score.classes[name].gold))
    return (
        f"right in {precise_percent(score.accuracy.value)}{ends(score.accuracy)}, always saying “{best}” in "
        f"{precise_percent(score.majority)}"
    )


def leakage(found: Leakage, limits: Limits) -> Iterator[Doubt]:
    gain = found.gain
    if gain is not None and gain.value >= limits.leak and (gain.low is None or gain.low > 0):
        yield Doubt(
            "The label is more than its concepts.",
            f"{round(100 * gain.value)} of 100 labels depend on shades that the states do not show"
            f"{signed_ends(gain)}. An explanation by states leaves them out.",
        )


def by_hand(report: ModelReport, limits: Limits) -> Iterator[Doubt]:
    if report.corrections is None or report.corrections.result is None:
        return
    curve = as_by_hand(report.corrections.result.curves)
    if curve is None:
        return
    gain = curve.accuracy[-1] - curve.accuracy[0]
    told = (
        f"Labels right: {precise_percent(curve.accuracy[0])} before, {precise_percent(curve.accuracy[-1])} "
        "with every wrong concept set right."
    )
    if gain < 0:
        yield Doubt("Setting concepts by hand makes labels worse.", told)
    elif gain < limits.helps:
        yield Doubt("Setting concepts by hand hardly helps the label.", told)


def calibration(found: CalibrationHalves, space: ConceptSpace, limits: Limits) -> Iterator[Doubt]:
    if (said := _unsure(found.label, limits)) is not None:
        yield Doubt("How sure it is of the label.", f"{said[1][:1].upper()}{said[1][1:]}.")
    unsure = [
        (-said[0], f"{space.title(name)}: {said[1]}")
        for name in space.concepts
        if (said := _unsure(found.concepts[name], limits)) is not None
    ]
    if unsure:
        yield Doubt("How sure it is of concepts.", f"{first(sorted(unsure))}.")
    scored = [("Label", found.label), *((space.title(n), found.concepts[n]) for n in space.concepts)]
    rash = []
    for title, one in scored:
        sure, right, count = sure_and_right(one.before, limits.sure)
        if count >= limits.rare and sure - right > limits.gap:
            text = f"{title}: {percent(sure)} sure in {count:,} reviews, right in {percent(right)}"
            rash.append((right - sure, text))
    if rash:
        yield Doubt("Even where it is very sure.", f"{first(sorted(rash))}.")


def _unsure(one: Scaled, limits: Limits) -> tuple[float, str] | None:
    """How far confidence is off, and in words with what a temperature mends; None where it is near enough."""
    if one.before.ece - by_chance(one.before) <= limits.gap:
        return None
    sure, right, _ = sure_and_right(one.before)
    side = "surer than it should be" if sure > right else "less sure than it could be"
    mended = ""
    if one.after.ece < one.before.ece and one.temperature < HOTTEST:
        mended = f" ({one.after.ece * 100:.1f} with a temperature of {one.temperature:.2f})"
    return one.before.ece, f"{side}, by {points(one.before.ece)} on average{mended}"

"""When not to trust a model: sentences that follow from measured numbers, and the lines they must cross."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import percent, precise_percent
from ui.card_calibration import by_chance, sure_and_right
from ui.card_changes import RULES
from ui.card_deep import by_hand_effect, method_title, removal_by_concept, swap_drop, verdict
from ui.card_exhibits import ends, points, points_between, signed_ends, signed_points
from ui.card_hand import as_by_hand
from ui.card_results import tallies

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import (
        Accuracy,
        CalibrationHalves,
        Interventions,
        Leakage,
        ModelReport,
        Scaled,
        Score,
        Subnetworks,
        WordScores,
    )


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
HOTTEST = 100.0  # beyond that a temperature makes a guess of every answer, and mends nothing


def doubts(report: ModelReport, space: ConceptSpace, limits: Limits = LIMITS) -> list[Doubt]:
    """Every warning that the report's numbers give, in the order of the card's sections."""
    found: list[Doubt] = []
    if report.accuracy is not None and report.accuracy.result is not None:
        found += _accuracy(report.accuracy.result, report.accuracy.examples, space, limits)
    if report.leakage is not None and report.leakage.result is not None:
        found += _leakage(report.leakage.result, limits)
    found += _by_hand(report, limits)
    if report.calibration is not None and report.calibration.result is not None:
        found += _calibration(report.calibration.result, space, limits)
    if report.subnetworks is not None and report.subnetworks.result is not None:
        found += _subnetworks(report.subnetworks.result, space, limits)
    for name, words in report.words.items():
        if words.result is not None:
            found += _words(name, words.result)
    found += _few_words(report, limits)
    found += _effects(report, limits)
    if report.interventions is not None and report.interventions.result is not None:
        found += _interventions(report.interventions.result, limits)
    missing = not_measured(report)
    if missing:
        found.append(Doubt("Not measured.", f"Nothing is known here of {_listed(missing)}."))
    return found


def not_measured(report: ModelReport) -> list[str]:
    """What the report has no figures of, in words; with the reason where one is given."""
    parts = {
        "accuracy": report.accuracy,
        "how much of the label its concepts carry": report.leakage,
        "concepts set by hand": report.corrections,
        "how sure it is against how often it is right": report.calibration,
        "whether subnetworks are each concept's own": report.subnetworks,
        "edited texts": report.effects,
        "side effects of corrections": report.interventions,
    }
    missing = []
    for name, part in parts.items():
        if part is None:
            missing.append(name)
        elif part.result is None:
            missing.append(f"{name} ({part.skipped})" if part.skipped else name)
    if not any(one.result is not None and one.result.margins for one in report.words.values()):
        missing.append("the words it colours")
    return missing


def _accuracy(found: Accuracy, examples: int, space: ConceptSpace, limits: Limits) -> Iterator[Doubt]:
    label = found.label.accuracy
    if label.low is not None and label.high is not None and label.high - label.low > 2 * limits.wide:
        yield Doubt(
            "Few reviews.",
            f"Measured on {examples:,} reviews, the share of right labels could be anywhere from "
            f"{precise_percent(label.low)} to {precise_percent(label.high)}.",
        )
    if _is_no_better(found.label):
        yield Doubt("The label: no better than one answer for all.", f"{_against(found.label, space)}.")
    poor = sorted(
        (score.accuracy.value - score.majority, f"{space.title(name)}: {_against(score, space)}")
        for name in space.concepts
        if _is_no_better(score := found.concepts[name])
    )
    if poor:
        yield Doubt("Concepts read no better than by one answer for all.", f"{_first(poor)}.")
    rows = [(title, space.title(name), tally) for title, name, tally in tallies(found, space)]
    missed = sorted(
        (tally.found, f"{title}, {name}: {tally.right:,} of {tally.gold:,} ({percent(tally.found)})")
        for title, name, tally in rows
        if tally.gold >= limits.rare and tally.found is not None and tally.found < limits.found
    )
    if missed:
        yield Doubt("Often overlooked.", f"Found of those that people marked: {_first(missed)}.")
    wrong = sorted(
        (tally.true, f"{title}, {name}: {tally.right:,} of {tally.predicted:,} ({percent(tally.true)})")
        for title, name, tally in rows
        if tally.predicted >= limits.rare and tally.true is not None and tally.true < limits.true
    )
    if wrong:
        yield Doubt("Often said wrongly.", f"Right of those that the model said: {_first(wrong)}.")


def _is_no_better(score: Score) -> bool:
    """Whether always saying the most frequent answer could be as good, by the lower end of the interval."""
    low = score.accuracy.value if score.accuracy.low is None else score.accuracy.low
    return low <= score.majority


def _against(score: Score, space: ConceptSpace) -> str:
    best = space.title(max(score.classes, key=lambda name: score.classes[name].gold))
    return (
        f"right in {precise_percent(score.accuracy.value)}{ends(score.accuracy)}, always saying “{best}” in "
        f"{precise_percent(score.majority)}"
    )


def _first(sentences: list[tuple[float, str]]) -> str:
    """The worst few, and how many more there are."""
    said = "; ".join(text for _, text in sentences[:LISTED])
    more = len(sentences) - LISTED
    return f"{said}; and {more} more" if more > 0 else said


def _leakage(found: Leakage, limits: Limits) -> Iterator[Doubt]:
    gain = found.gain
    if gain is not None and gain.value >= limits.leak and (gain.low is None or gain.low > 0):
        yield Doubt(
            "The label is more than its concepts.",
            f"{round(100 * gain.value)} of 100 labels depend on shades that the states do not show"
            f"{signed_ends(gain)}. An explanation by states leaves them out.",
        )


def _by_hand(report: ModelReport, limits: Limits) -> Iterator[Doubt]:
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


def _calibration(found: CalibrationHalves, space: ConceptSpace, limits: Limits) -> Iterator[Doubt]:
    if (said := _unsure(found.label, limits)) is not None:
        yield Doubt("How sure it is of the label.", f"{said[1][:1].upper()}{said[1][1:]}.")
    unsure = [
        (-said[0], f"{space.title(name)}: {said[1]}")
        for name in space.concepts
        if (said := _unsure(found.concepts[name], limits)) is not None
    ]
    if unsure:
        yield Doubt("How sure it is of concepts.", f"{_first(sorted(unsure))}.")
    scored = [("Label", found.label), *((space.title(n), found.concepts[n]) for n in space.concepts)]
    rash = []
    for title, one in scored:
        sure, right, count = sure_and_right(one.before, limits.sure)
        if count >= limits.rare and sure - right > limits.gap:
            text = f"{title}: {percent(sure)} sure in {count:,} reviews, right in {percent(right)}"
            rash.append((right - sure, text))
    if rash:
        yield Doubt("Even where it is very sure.", f"{_first(sorted(rash))}.")


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


def _subnetworks(found: Subnetworks, space: ConceptSpace, limits: Limits) -> Iterator[Doubt]:
    swap = swap_drop(found)
    if swap is not None and swap < limits.apart:
        yield Doubt(
            "Subnetworks that could stand in for each other.",
            "Read through another concept's subnetwork, the accuracy of a concept changes by "
            f"{signed_points(-swap)} points on average: what a mask shows is not that concept's alone.",
        )
    shared = sorted(
        (
            own - other,
            f"{space.title(name)} by {signed_points(-own)} without its own, {signed_points(-other)} without "
            "another's",
        )
        for name, own, other in removal_by_concept(found)
        if other is not None and own - other < limits.apart
    )
    if shared:
        yield Doubt(
            "Concepts that need their own weights no more than those of others.",
            f"Accuracy changes, in points: {_first(shared)}.",
        )
    alike = sorted(
        (found.own[k] - value, f"{space.title(name)} through that of {space.title(found.concepts[j])}")
        for k, name in enumerate(found.concepts)
        for j, value in enumerate(found.swapped[k])
        if j != k and found.own[k] - value < limits.apart
    )
    if alike and swap is not None and swap >= limits.apart:
        pairs = [(drop, f"{text} ({signed_points(-drop)})") for drop, text in alike]
        yield Doubt("Concepts that other subnetworks read as well.", f"Change in points: {_first(pairs)}.")


def _words(name: str, found: WordScores) -> Iterator[Doubt]:
    """One for each method that some control is not clearly worse than."""
    than = {
        "random": "words in random order",
        "mask_swap": "the words that another concept's subnetwork puts first",
    }
    said = {
        control: f"{'less' if how == 'worse' else 'not clearly more'} than {than[control]} "
        f"({points_between(margin.comprehensiveness)})"
        for control, margin in found.margins.items()
        if control in than and (how := verdict(margin.comprehensiveness)) != "better"
    }
    if said:
        yield Doubt(
            f"Words coloured by {method_title(name).lower()}.",
            f"The words it puts first matter {' and '.join(said.values())}. {found.pairs:,} concepts were "
            "looked at.",
        )


def _few_words(report: ModelReport, limits: Limits) -> Iterator[Doubt]:
    counts = [one.result.reviews for one in report.words.values() if one.result is not None]
    if counts and min(counts) < limits.rare:
        yield Doubt(
            "Few reviews for the words.",
            f"What is said of coloured words rests on as few as {min(counts):,} reviews.",
        )


def _effects(report: ModelReport, limits: Limits) -> Iterator[Doubt]:
    if report.effects is None or report.effects.result is None:
        return
    errors = by_hand_effect(report.effects.result)
    if errors is not None and errors[0] > (1 - limits.foretold) * errors[1]:
        yield Doubt(
            "What if the review said something else.",
            f"Setting a concept by hand misses the effect of an edited text by {errors[0]:.2f}; assuming "
            f"that nothing changes misses it by {errors[1]:.2f}.",
        )


def _interventions(found: Interventions, limits: Limits) -> Iterator[Doubt]:
    fewest = min((rule.pairs for rule in found.rules.values()), default=limits.rare)
    if fewest < limits.rare:
        yield Doubt("Few corrections.", f"What is said of corrections rests on {fewest:,} of them.")
    for name, rule in found.rules.items():
        if name == "oracle":  # it changes nothing in the model: 0 by its nature
            continue
        title = RULES.get(name, name).lower()
        unchanged = rule.guard_unchanged.get("concept", 1.0)
        delta = min(rule.guard_accuracy_delta.values(), default=0.0)
        said = []
        if rule.efficacy < limits.reached:
            said.append(
                f"{precise_percent(rule.efficacy)} of the corrections hold when the review comes again"
            )
        if unchanged < limits.unchanged:
            said.append(f"{precise_percent(1 - unchanged)} of the concept's states in other reviews change")
        if delta < -limits.harm:
            said.append(f"accuracy elsewhere changes by {signed_points(delta)} points")
        if said:
            yield Doubt(
                f"Corrections by the rule “{title}”.", f"{'; '.join(said)[:1].upper()}{'; '.join(said)[1:]}."
            )
    for name, chain in found.sequential.items():
        last = chain[-1] if chain else None
        if last is None:
            continue
        lost = min(
            last.concept_accuracy - last.concept_accuracy_start,
            last.label_accuracy - last.label_accuracy_start,
        )
        if last.still_right < limits.hold or lost < -limits.harm:
            yield Doubt(
                f"Many corrections in a row by the rule “{RULES.get(name, name).lower()}”.",
                f"After {last.corrections:,} of them {precise_percent(last.still_right)} of the corrections "
                f"still hold, and accuracy elsewhere has changed by {signed_points(lost)} points.",
            )


def _listed(names: list[str]) -> str:
    """Names as one says them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

"""Whether subnetworks are a concept's own, words the ones that matter, and concepts what they seem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.tokens.registry import METHODS
from sparsecbm_core.figures import Ranged, intervals_figure, matrix_figure, percent, precise_percent
from ui.card_exhibits import Exhibit, Section, points, signed_ends, signed_points, where

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import (
        Effects,
        Estimate,
        ModelReport,
        Subnetworks,
        WordScores,
    )

ONE_HOT, ZERO = "one_hot", "zero"
ESTIMATORS = {
    "one_hot": "The concept set by hand (1 and 0)",
    "typical": "The concept set to typical values",
    "zero": "For comparison: nothing changes",
    "random_state": "For comparison: a state drawn at random",
    "own_path": "Only this concept as it is read in the other text",
}
CONTROLS = {"random": "random order", "mask_swap": "another concept's subnetwork"}


def subnetworks(report: ModelReport, space: ConceptSpace) -> Section | None:
    """Every concept through every subnetwork, and without another's weights."""
    measured = report.subnetworks
    if measured is None or measured.result is None:
        return None
    found = measured.result
    titles = [space.title(name) for name in found.concepts]
    exhibits = [
        Exhibit(
            "swapped",
            "Read through another concept's subnetwork",
            "Share of reviews whose state is found. A row is a concept, a column the subnetwork that reads.",
            swapped_rows(found, titles),
            "Accuracy of each concept through each subnetwork",
            matrix_figure(
                found.swapped,
                [[percent(value) for value in row] for row in found.swapped],
                titles,
                "read through the subnetwork of",
            ),
            percents=(*titles, "most_frequent"),
        )
    ]
    if len(titles) > 1:
        drops = [[found.drop(k, j) for k in range(len(titles))] for j in range(len(titles))]
        exhibits.append(
            Exhibit(
                "removed",
                "Without the weights of another subnetwork",
                "Points that the accuracy of a concept (row) changes by when the weights of one subnetwork "
                "(column) are taken out of all of them.",
                removed_rows(found, titles),
                "Change of each concept's accuracy without the weights of each subnetwork",
                matrix_figure(
                    drops,
                    [[signed_points(-value) for value in row] for row in drops],
                    titles,
                    "without the weights of",
                ),
                percents=("before", "after", "weights_lost"),
            )
        )
    return Section(
        "Is each subnetwork its concept's own?",
        subnetwork_words(found),
        tuple(exhibits),
        where(measured),
    )


def swapped_rows(found: Subnetworks, titles: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"concept": title, **dict(zip(titles, row, strict=True)), "most_frequent": majority}
        for title, row, majority in zip(titles, found.swapped, found.majority, strict=True)
    ]


def removed_rows(found: Subnetworks, titles: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "without_the_weights_of": gone,
            "concept": read,
            "before": found.own[j],
            "after": found.removed[k][j],
            "weights_lost": found.lost[k][j],
        }
        for k, gone in enumerate(titles)
        for j, read in enumerate(titles)
    ]


def swap_drop(found: Subnetworks) -> float | None:
    """What a concept loses through another's subnetwork, mean over pairs; None for a single concept."""
    drops = [
        found.own[k] - value for k, row in enumerate(found.swapped) for j, value in enumerate(row) if j != k
    ]
    return sum(drops) / len(drops) if drops else None


def removal_by_concept(found: Subnetworks) -> list[tuple[str, float, float | None]]:
    """What each concept loses without its own weights, and without another's, mean over the others."""
    size, drops = len(found.concepts), []
    for j, name in enumerate(found.concepts):
        others = [found.drop(k, j) for k in range(size) if k != j]
        drops.append((name, found.drop(j, j), sum(others) / len(others) if others else None))
    return drops


def removal_drops(found: Subnetworks) -> tuple[float, float | None]:
    """The same as means over concepts."""
    drops = removal_by_concept(found)
    others = [other for _, _, other in drops if other is not None]
    return sum(own for _, own, _ in drops) / len(drops), sum(others) / len(others) if others else None


def subnetwork_words(found: Subnetworks) -> tuple[str, ...]:
    """What swapping and removing cost, on average."""
    swap, (own, other) = swap_drop(found), removal_drops(found)
    if swap is None or other is None:
        return (
            f"Without its subnetwork the accuracy of the concept changes by {signed_points(-own)} points.",
        )
    least = sum(found.own[k] - found.majority[k] for k in range(len(found.concepts))) / len(found.concepts)
    blind = f" Were nothing of it to be seen there, it would be {signed_points(-least)}." if least > 0 else ""
    return (
        "Read through another concept's subnetwork, the accuracy of a concept changes by "
        f"{signed_points(-swap)} points on average.{blind}",
        f"Without the weights of its own subnetwork it changes by {signed_points(-own)} points, without "
        f"those of another by {signed_points(-other)}.",
    )


def words(report: ModelReport) -> Section | None:
    """Every token method beside its controls."""
    known = {name: one.result for name, one in report.words.items() if one.result and one.result.margins}
    if not known:
        return None
    names = [name for name in METHODS if name in known] + [name for name in known if name not in METHODS]
    titles = [method_title(name) for name in names]
    series = [
        _ranged(f"Compared with {title}", [_margin(known[name], control) for name in names])
        for control, title in CONTROLS.items()
        if any(control in known[name].margins for name in names)
    ]
    measured = report.words[names[0]]
    figure = intervals_figure(
        titles,
        series,
        "what the state loses more than in the comparison, points, with 95 % intervals",
        signed_points,
        zero=True,
    )
    first = known[names[0]]
    return Section(
        "Are the coloured words the ones that matter?",
        tuple(word_words(name, known[name]) for name in names),
        (
            Exhibit(
                "word-scores",
                "What a state loses without the words put first",
                f"{first.pairs:,} concepts mentioned in {first.reviews:,} reviews. Words are deleted from "
                "the first on, a tenth after the other, and what the state's probability loses is averaged. "
                "To the right of 0 a method is better than what it is compared with.",
                word_rows(names, known),
                "How much more a state loses without the words of each method than in comparisons",
                figure,
                percents=WORD_SHARES,
            ),
        ),
        where(measured),
    )


WORD_SHARES = (
    "state_loses_without_first_words",
    "in_random_order",
    "by_another_subnetwork",
    "state_loses_with_first_words_alone",
    "alone_in_random_order",
    "alone_by_another_subnetwork",
)


def word_rows(names: Sequence[str], known: Mapping[str, WordScores]) -> list[dict[str, Any]]:
    rows = []
    for name in names:
        found = known[name]
        by_name = {control: found.rankings.get(control) for control in ("own", "random", "mask_swap")}
        values = [one and one.comprehensiveness for one in by_name.values()]
        values += [one and one.sufficiency for one in by_name.values()]
        row: dict[str, Any] = {"method": method_title(name), "pairs": found.pairs}
        row |= dict(zip(WORD_SHARES, values, strict=True))
        for control, margin in found.margins.items():
            for what, one in (("", margin.comprehensiveness), ("_alone", margin.sufficiency)):
                start = f"against_{control}{what}"
                row |= {start: one.value, f"{start}_low": one.low, f"{start}_high": one.high}
        rows.append(row)
    return rows


def method_title(name: str) -> str:
    return METHODS[name].title if name in METHODS else name.replace("_", " ").capitalize()


def _margin(found: WordScores, control: str) -> Estimate | None:
    margin = found.margins.get(control)
    return None if margin is None else margin.comprehensiveness


def _ranged(name: str, estimates: Sequence[Estimate | None]) -> Ranged:
    return Ranged(
        name,
        [None if one is None else one.value for one in estimates],
        [None if one is None else one.low for one in estimates],
        [None if one is None else one.high for one in estimates],
    )


def verdict(margin: Estimate) -> str:
    """Where a margin over a control lies, by its interval: "better", "worse" or "not told apart"."""
    if margin.low is not None and margin.low > 0:
        return "better"
    if margin.high is not None and margin.high < 0:
        return "worse"
    return "not told apart"


def word_words(name: str, found: WordScores) -> str:
    """A method's figures and its controls', with what to make of them, good or bad."""
    said = {
        "better": "better than",
        "worse": "worse than",
        "not told apart": "not clearly different from",
    }
    own = found.rankings["own"].comprehensiveness
    text = f"{method_title(name)}: without the words it puts first, a state loses {points(own)}."
    for control, title in CONTROLS.items():
        margin = found.margins.get(control)
        if margin is not None:
            one = margin.comprehensiveness
            than = title if control == "random" else "the words that another concept's subnetwork puts first"
            text += (
                f" That is {said[verdict(one)]} {than}: {signed_points(one.value)} points{signed_ends(one)}."
            )
    return text


def effects(report: ModelReport) -> Section | None:
    """How well setting a concept tells what editing the text does."""
    measured = report.effects
    if measured is None or measured.result is None:
        return None
    found = measured.result
    names = [name for name in ESTIMATORS if name in found.estimators]
    names += [name for name in found.estimators if name not in ESTIMATORS]
    titles = [ESTIMATORS.get(name, name) for name in names]
    figure = intervals_figure(
        titles,
        [_ranged("Error", [found.estimators[name].l2 for name in names])],
        "mean error of the label's probabilities (ICaCE-Error, L2), with 95 % intervals",
        lambda value: f"{value:.2f}",
    )
    return Section(
        "Does setting a concept do what editing the text does?",
        (effect_words(found),),
        (
            Exhibit(
                "effects",
                "",
                f"{found.pairs:,} pairs of texts: people edited one in a concept to get the other. Compared "
                "is the change of the label's probabilities from text to text with an estimate of it.",
                [
                    {
                        "estimate": title,
                        "error_l2": found.estimators[name].l2.value,
                        "low": found.estimators[name].l2.low,
                        "high": found.estimators[name].l2.high,
                        "error_cosine": found.estimators[name].cosine,
                        "error_of_size": found.estimators[name].norm_difference,
                    }
                    for name, title in zip(names, titles, strict=True)
                ],
                "Error of each way to estimate the effect of a concept on the label",
                figure,
            ),
        ),
        where(measured),
    )


def by_hand_effect(found: Effects) -> tuple[float, float] | None:
    """The error of setting a concept as the app does, and that of assuming that nothing changes."""
    if ONE_HOT not in found.estimators or ZERO not in found.estimators:
        return None
    return found.estimators[ONE_HOT].l2.value, found.estimators[ZERO].l2.value


def effect_words(found: Effects) -> str:
    errors = by_hand_effect(found)
    if errors is None:
        return "There is nothing to compare the estimates with."
    error, nothing = errors
    said = (
        "Setting a concept by hand, as the app does, estimates what editing the text would do to the label's "
        f"probabilities with an error of {error:.2f}. Assuming that nothing changes is off by {nothing:.2f}"
    )
    if error >= nothing:
        return f"{said}: no worse."
    return f"{said}: the error is {precise_percent(1 - error / nothing)} smaller."

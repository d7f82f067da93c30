"""How sure the model may be taken to be: confidence against accuracy, without and with a temperature."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import Plot, Series, plots_figure, precise_percent
from ui.widgets.exhibits import Exhibit, Section, points, where

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import ModelReport, Reliability, Scaled

FEW = 5  # answers in a bin: with fewer its accuracy says next to nothing


def calibration(report: ModelReport, space: ConceptSpace) -> Section | None:
    """How often the model is right when it says how sure it is, before and after one temperature."""
    measured = report.calibration
    if measured is None or measured.result is None:
        return None
    found = measured.result
    panels = {
        "Label": [("As it is", found.label.before), ("With a temperature", found.label.after)],
        "All concepts": [
            ("As it is", merged([one.before for one in found.concepts.values()])),
            ("With a temperature", merged([one.after for one in found.concepts.values()])),
        ],
    }
    figure = plots_figure(
        [
            Plot(title, [*(_points(*one) for one in pair), _diagonal(pair)], "how sure", "how often right")
            for title, pair in panels.items()
        ]
    )
    figure.update_xaxes(tickformat=".0%")
    rows = [
        _scaled_row("Label", found.label),
        *(_scaled_row(space.title(name), found.concepts[name]) for name in space.concepts),
    ]
    return Section(
        "How sure is it, and how often right?",
        (calibration_words("label", found.label), _concepts_words(found.concepts)),
        (
            Exhibit(
                "reliability-gap",
                "",
                f"A temperature, one number that makes all answers less sure or surer, was fitted on "
                f"{found.fitted:,} reviews; shown are the {found.measured:,} others. The answers themselves "
                f"stay the same. A point is a bin of at least {FEW} answers.",
                rows,
                "How sure against how often right, of label and concepts, without and with a temperature",
                figure,
                percents=("gap", "gap_by_chance", "gap_with_temperature", "sure", "right"),
                what="The gaps",
            ),
            Exhibit(
                "reliability",
                "",
                "",
                reliability_rows(found.label, found.concepts, space),
                "Reliability of label and concepts, bin by bin",
                percents=("from", "to", "sure", "right"),
                what="The bins",
            ),
        ),
        where(measured),
    )


def _points(name: str, table: Reliability) -> Series:
    known = drawn(table)
    return Series(
        name,
        [sure for sure, _, _ in known],
        [right for _, right, _ in known],
        texts=[f"{count:,} answers" for _, _, count in known],
    )


def drawn(table: Reliability) -> list[tuple[float, float, int]]:
    """Confidence, accuracy and count of bins with at least `FEW` answers; of all where none has so many."""
    known = [
        (sure, right, count)
        for sure, right, count in zip(table.confidence, table.accuracy, table.count, strict=True)
        if sure is not None and right is not None
    ]
    return [one for one in known if one[2] >= FEW] or known


def _diagonal(pair: Sequence[tuple[str, Reliability]]) -> Series:
    """Where points lie of a model that is right as often as it is sure."""
    low = min((sure for _, table in pair for sure, _, _ in drawn(table)), default=0.0)
    return Series("Right as often as sure", [low, 1.0], [low, 1.0])


def merged(tables: Sequence[Reliability]) -> Reliability:
    """Several tables with the same bins as one: all their answers together."""
    from sparsecbm_core.evaluate.trust.results import Reliability

    bins = range(len(tables[0].count))
    counts = [sum(table.count[b] for table in tables) for b in bins]

    def mean(values: Sequence[Sequence[float | None]], b: int) -> float | None:
        total = sum((column[b] or 0.0) * table.count[b] for column, table in zip(values, tables, strict=True))
        return total / counts[b] if counts[b] else None

    confidence = [mean([table.confidence for table in tables], b) for b in bins]
    accuracy = [mean([table.accuracy for table in tables], b) for b in bins]
    gaps = sum(
        count * abs(sure - right)
        for count, sure, right in zip(counts, confidence, accuracy, strict=True)
        if sure is not None and right is not None
    )
    return Reliability(
        tables[0].edges, tuple(confidence), tuple(accuracy), tuple(counts), gaps / max(1, sum(counts))
    )


def sure_and_right(table: Reliability, least: float = 0.0) -> tuple[float, float, int]:
    """Mean confidence, accuracy and number of the answers, in bins that are ``least`` sure on average."""
    known = [
        (sure, right, count)
        for sure, right, count in zip(table.confidence, table.accuracy, table.count, strict=True)
        if sure is not None and right is not None and sure >= least
    ]
    total = sum(count for _, _, count in known)
    if not total:
        return 0.0, 0.0, 0
    return (
        sum(sure * count for sure, _, count in known) / total,
        sum(right * count for _, right, count in known) / total,
        total,
    )


def by_chance(table: Reliability) -> float:
    """The gap that a model without any would show on so few answers: in a bin of n answers with confidence c
    the accuracy strays by √(2 c (1 − c) / (π n)), the mean of a normal deviation's size."""
    strays = sum(
        math.sqrt(2 / math.pi * sure * (1 - sure) * count)
        for sure, count in zip(table.confidence, table.count, strict=True)
        if sure is not None
    )
    return strays / max(1, sum(table.count))


def _scaled_row(title: str, scaled: Scaled) -> dict[str, Any]:
    sure, right, _ = sure_and_right(scaled.before)
    return {
        "of": title,
        "sure": sure,
        "right": right,
        "gap": scaled.before.ece,
        "gap_by_chance": by_chance(scaled.before),
        "temperature": scaled.temperature,
        "gap_with_temperature": scaled.after.ece,
    }


def reliability_rows(
    label: Scaled, concepts: Mapping[str, Scaled], space: ConceptSpace
) -> list[dict[str, Any]]:
    scaled = [("Label", label), *((space.title(name), concepts[name]) for name in space.concepts)]
    return [
        {
            "of": title,
            "temperature": temperature,
            "from": table.edges[b],
            "to": table.edges[b + 1],
            "answers": count,
            "sure": table.confidence[b],
            "right": table.accuracy[b],
        }
        for title, one in scaled
        for temperature, table in ((1.0, one.before), (one.temperature, one.after))
        for b, count in enumerate(table.count)
        if count
    ]


def calibration_words(what: str, scaled: Scaled) -> str:
    """Too sure or not sure enough, by how much, and what a temperature makes of it."""
    sure, right, _ = sure_and_right(scaled.before)
    side = "too sure" if sure > right else "not sure enough"
    then = "narrows" if scaled.after.ece < scaled.before.ece else "does not narrow"
    return (
        f"Of the {what} it is {precise_percent(sure)} sure on average and right in {precise_percent(right)}: "
        f"{side}. Bin by bin the gap between the two is {points(scaled.before.ece)}, of which chance alone "
        f"gives about {100 * by_chance(scaled.before):.1f}; a temperature of {scaled.temperature:.2f} {then} "
        f"it, to {points(scaled.after.ece)}."
    )


def _concepts_words(concepts: Mapping[str, Scaled]) -> str:
    before = sum(one.before.ece for one in concepts.values()) / len(concepts)
    after = sum(one.after.ece for one in concepts.values()) / len(concepts)
    return (
        f"Of the concepts' states the gap is {points(before)}, mean over concepts, and {points(after)} with "
        "a temperature for each."
    )

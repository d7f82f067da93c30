"""How good the model is, with the room that chance leaves, and how much of the label its concepts carry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import Ranged, intervals_figure, precise_percent
from ui.widgets.exhibits import Exhibit, Section, ends, where

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import (
        Accuracy,
        Estimate,
        Leakage,
        ModelReport,
        Score,
        Tally,
    )

INTERVAL = (
    "Measured on other reviews of the same kind, a figure would differ. In 95 of 100 such draws it lies "
    "between these two ends. All edits of one review are drawn together, for they are not independent."
)
LEAKAGE = "Do the concepts explain the label?"
MAJORITY = "Always the most frequent answer"


def accuracy(report: ModelReport, space: ConceptSpace) -> tuple[Exhibit, ...]:
    """Accuracy and macro-F1 with their intervals, and how often each state and label is found."""
    measured = report.accuracy
    if measured is None or measured.result is None:
        return ()
    found, at = measured.result, where(measured)
    rows = accuracy_rows(found, space)
    titles = [str(row["of"]) for row in rows]

    def series(name: str, column: str) -> Ranged:
        return Ranged(name, *([row[f"{column}{end}"] for row in rows] for end in ("", "_low", "_high")))

    figure = intervals_figure(
        titles,
        [
            series("Right", "right"),
            series("Balanced (macro-F1)", "macro_f1"),
            Ranged(MAJORITY, [row["most_frequent"] for row in rows]),
        ],
        "share of reviews, with 95 % intervals",
    )
    return (
        Exhibit(
            "intervals",
            "How far these figures can move",
            f"{at}; {found.groups:,} groups of reviews drawn as a whole.",
            rows,
            "Shares right and macro-F1 of the label and of each concept, with their 95 % intervals",
            figure,
            percents=tuple(name for name in rows[0] if name != "of"),
            help=INTERVAL,
        ),
        Exhibit(
            "classes",
            "",
            "",
            class_rows(found, space),
            "How often each label and each state is found",
            what="How often each label and each state is found",
            percents=("found", "true"),
        ),
    )


def accuracy_rows(found: Accuracy, space: ConceptSpace) -> list[dict[str, Any]]:
    """Label, mean over concepts, and each concept: shares with the ends of their intervals."""

    def row(name: str, right: Estimate, macro_f1: Estimate, majority: float | None) -> dict[str, Any]:
        return {
            "of": name,
            "right": right.value,
            "right_low": right.low,
            "right_high": right.high,
            "macro_f1": macro_f1.value,
            "macro_f1_low": macro_f1.low,
            "macro_f1_high": macro_f1.high,
            "most_frequent": majority,
        }

    majorities = [score.majority for score in found.concepts.values()]
    return [
        row("Label", found.label.accuracy, found.label.macro_f1, found.label.majority),
        row(
            "All concepts",
            found.concept_accuracy,
            found.concept_macro_f1,
            sum(majorities) / len(majorities),
        ),
        *(
            row(space.title(name), score.accuracy, score.macro_f1, score.majority)
            for name, score in _concepts(found, space)
        ),
    ]


def class_rows(found: Accuracy, space: ConceptSpace) -> list[dict[str, Any]]:
    """Every label and every state of every concept: how often people marked it, and how often it is found."""
    return [
        {
            "of": title,
            "answer": answer,
            "marked_by_people": tally.gold,
            "said_by_the_model": tally.predicted,
            "both": tally.right,
            "found": tally.found,
            "true": tally.true,
        }
        for title, answer, tally in tallies(found, space)
    ]


def tallies(found: Accuracy, space: ConceptSpace) -> list[tuple[str, str, Tally]]:
    """Of the label and of each concept by its title: every class by its title, with its tally."""
    scored = [
        ("Label", space.label_title, found.label),
        *((space.title(name), space.title, score) for name, score in _concepts(found, space)),
    ]
    return [(of, title(name), tally) for of, title, score in scored for name, tally in score.classes.items()]


def _concepts(found: Accuracy, space: ConceptSpace) -> Sequence[tuple[str, Score]]:
    return [(name, found.concepts[name]) for name in space.concepts]


def leakage(report: ModelReport) -> Section | None:
    """How much of the label the states carry, in plain words."""
    measured = report.leakage
    if measured is None or measured.result is None:
        return None
    found = measured.result
    if found.hard is None:
        return Section(LEAKAGE, leakage_words(found), where=f"Labels right: {where(measured)}.")
    rows = [
        {"label_from": title, "labels_right": one.value, "low": one.low, "high": one.high}
        for title, one in (
            ("States that people marked", found.gold),
            ("States that the model found", found.hard),
            ("The model, shades included", found.soft),
        )
        if one is not None
    ]
    known = [one for one in (found.gold, found.hard, found.soft) if one is not None]
    figure = intervals_figure(
        [str(row["label_from"]) for row in rows],
        [
            Ranged(
                "Labels right",
                [one.value for one in known],
                [one.low for one in known],
                [one.high for one in known],
            )
        ],
        "labels right, with 95 % intervals",
    )
    return Section(
        LEAKAGE,
        leakage_words(found),
        (
            Exhibit(
                "leakage",
                "",
                "The first two are read by logistic regression on the states, fitted to the training data.",
                rows,
                "Labels right, by what they are read from, with 95 % intervals",
                figure,
                percents=("labels_right", "low", "high"),
            ),
        ),
        f"Labels right: {where(measured)}.",
    )


def leakage_words(found: Leakage) -> tuple[str, ...]:
    """As the rounded numbers say."""
    if found.hard is None or found.gain is None:
        return (
            "This model comes without the reference that labels are read from states with, so it is not "
            "known how much of the label its states carry.",
        )
    states, model = round(100 * found.hard.value), round(100 * found.soft.value)
    start = f"{states} of 100 labels follow from the concepts alone"
    if model > states:
        said = (
            f"{start}. The model gets {model}: the other {model - states} come from finer shades, how "
            "strongly each concept speaks, which the states do not show."
        )
    elif model == states:
        said = f"{start}, and the model gets no more: it needs nothing that the states do not show."
    else:
        said = f"{start}. The model gets {model}, {states - model} fewer: the shades lead it astray."
    sure = ""
    if found.gain.low is not None and found.gain.high is not None and found.gain.low <= 0 <= found.gain.high:
        sure = " On other reviews of this kind the difference could as well be nothing."
    best = ""
    if found.gold is not None:
        best = f" Were every state right, it would be {precise_percent(found.gold.value)}{ends(found.gold)}."
    return (said + sure + best,)

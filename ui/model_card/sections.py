"""The sections of the model card that an evaluation gives, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from ui.model_card import accuracy, calibration, changes, effects, hand, metrics, swaps, words
from ui.model_card.evaluation_file import on_split, parts_of
from ui.model_card.metrics import Report
from ui.widgets.exhibits import Exhibit, Section

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import ModelReport


def sections(report: ModelReport, space: ConceptSpace) -> list[Section]:
    """All but accuracy and leakage, which have their place beside the model's own measurements."""
    found = (
        hand.corrections(report),
        calibration.calibration(report, space),
        swaps.subnetworks(report, space),
        words.words(report),
        effects.effects(report),
        changes.changes(report),
        _how(report),
    )
    return [section for section in found if section is not None]


def results(
    report: Report, deep: ModelReport | None, split: str, space: ConceptSpace, where: str
) -> tuple[Exhibit, ...]:
    """Accuracy on a split: with intervals where the evaluation is of it, else as the model's own metrics."""
    if deep is not None and on_split(deep.accuracy, split):
        return accuracy.accuracy(deep, space)
    bars = metrics.per_concept(report, space, where)
    return () if bars is None else (bars,)


def leakage(report: Report, deep: ModelReport | None, split: str, where: str) -> Section | None:
    """How much of the label the concepts carry on a split, from the same two sources."""
    if deep is not None and on_split(deep.leakage, split):
        return accuracy.leakage(deep)
    return metrics.leakage(report, where)


def _how(report: ModelReport) -> Section | None:
    """Data, number of reviews, seed, settings and time of each part."""
    rows = [
        {
            "part": name,
            "data": one.data.get("name", ""),
            "split": one.data.get("split", ""),
            "data_fingerprint": one.data.get("fingerprint", ""),
            "reviews": one.examples,
            "seed": one.seed,
            "seconds": one.seconds,
            "settings": ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in one.settings.items()),
            "left_out": one.skipped or "",
        }
        for name, one in parts_of(report).items()
    ]
    if not rows:
        return None
    seconds = sum(one.seconds or 0.0 for one in parts_of(report).values())
    return Section(
        "How these figures were measured",
        (
            f"{len(rows)} parts in {max(1, round(seconds / 60))} min, with “sparsecbm report”, of the model "
            f"with fingerprint {report.model}.",
        ),
        (
            Exhibit(
                "evaluation-parts",
                "",
                "",
                rows,
                "Data, reviews, seed and time of each part of the evaluation",
                what="Part by part",
            ),
        ),
    )

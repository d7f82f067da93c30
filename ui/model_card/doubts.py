"""When not to trust a model: sentences that follow from measured numbers, and the lines they must cross."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from ui.model_card import doubts_answers as answers
from ui.model_card import doubts_inside as inside
from ui.model_card.doubt import LIMITS, Doubt, Limits

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import ModelReport


def doubts(report: ModelReport, space: ConceptSpace, limits: Limits = LIMITS) -> list[Doubt]:
    """Every warning that the report's numbers give, in the order of the card's sections."""
    found: list[Doubt] = []
    if report.accuracy is not None and report.accuracy.result is not None:
        found += answers.accuracy(report.accuracy.result, report.accuracy.examples, space, limits)
    if report.leakage is not None and report.leakage.result is not None:
        found += answers.leakage(report.leakage.result, limits)
    found += answers.by_hand(report, limits)
    if report.calibration is not None and report.calibration.result is not None:
        found += answers.calibration(report.calibration.result, space, limits)
    if report.subnetworks is not None and report.subnetworks.result is not None:
        found += inside.subnetworks(report.subnetworks.result, space, limits)
    for name, words in report.words.items():
        if words.result is not None:
            found += inside.words(name, words.result)
    found += inside.few_words(report, limits)
    found += inside.effects(report, limits)
    if report.interventions is not None and report.interventions.result is not None:
        found += inside.interventions(report.interventions.result, limits)
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


def _listed(names: list[str]) -> str:
    """Names as one says them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

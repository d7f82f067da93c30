"""What corrections of the model change elsewhere, rule by rule and in a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.figures import Plot, Ranged, Series, intervals_figure, plots_figure, precise_percent
from ui.widgets.exhibits import Exhibit, Section, signed_points, where

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.interventions import ChainResult, RuleResult
    from sparsecbm_core.evaluate.trust.results import ModelReport

RULES = {
    "guarded": "Guarded",
    "signed": "Signed",
    "paper": "As published",
    "random": "Random bits",
    "oracle": "Set by hand, the model unchanged",
    "finetune": "Fine-tuning",
    "head": "Label weights only",
}
TARGETS = {
    "concept": "Same concept elsewhere unchanged",
    "other_concepts": "Other concepts unchanged",
    "label": "Labels unchanged",
}
DEFAULT_RULE = "guarded"


def changes(report: ModelReport) -> Section | None:
    """Side effects of corrections, where they were measured."""
    measured = report.interventions
    if measured is None or measured.result is None or not measured.result.rules:
        return None
    found = measured.result
    names = [name for name in RULES if name in found.rules] + [
        name for name in found.rules if name not in RULES
    ]
    titles = [RULES.get(name, name) for name in names]
    rules = [found.rules[name] for name in names]
    figure = intervals_figure(
        titles,
        [
            Ranged("Right when the review comes again", [rule.efficacy for rule in rules]),
            *(
                Ranged(title, [rule.guard_unchanged.get(target) for rule in rules])
                for target, title in TARGETS.items()
            ),
        ],
        "share of corrections, and of the readings of other reviews",
    )
    exhibits = [
        Exhibit(
            "corrections",
            "",
            f"Each correction is made on the model as it was; {found.guard:,} other reviews are read before "
            "and after.",
            rule_rows(titles, rules),
            "How often each rule reaches the right state, and how much else stays as it was",
            figure,
            percents=("right_again", *(f"{target}_unchanged" for target in TARGETS), "weights_flipped"),
        )
    ]
    if any(found.sequential.values()):
        exhibits.append(_chains(found.sequential))
    said = [rule_words(RULES.get(name, name), found.rules[name]) for name in names if name != "oracle"]
    return Section(
        "What corrections of the model change elsewhere",
        tuple(said),
        tuple(exhibits),
        where(measured, "correction"),
    )


def rule_words(title: str, rule: RuleResult) -> str:
    """Reached, unchanged elsewhere, and what that does to accuracy."""
    return (
        f"{title}: {precise_percent(rule.efficacy)} of the corrected reviews are right when they come again. "
        f"In other reviews {precise_percent(rule.guard_unchanged.get('concept', 0.0))} of the same concept's "
        f"states stay, and their accuracy changes by "
        f"{signed_points(rule.guard_accuracy_delta.get('concept', 0.0))} points."
    )


def rule_rows(titles: Sequence[str], rules: Sequence[RuleResult]) -> list[dict[str, Any]]:
    return [
        {
            "rule": title,
            "corrections": rule.pairs,
            "right_again": rule.efficacy,
            **{f"{target}_unchanged": rule.guard_unchanged.get(target) for target in TARGETS},
            **{f"{target}_accuracy_change": rule.guard_accuracy_delta.get(target) for target in TARGETS},
            "weights_flipped": rule.weights_flipped_median,
            "seconds": rule.seconds_median,
        }
        for title, rule in zip(titles, rules, strict=True)
    ]


def _chains(chains: Mapping[str, Sequence[ChainResult]]) -> Exhibit:
    plots = []
    for name, points in chains.items():
        first = points[0] if points else None
        if first is None:
            continue
        x = [0, *(point.corrections for point in points)]
        plots.append(
            Plot(
                RULES.get(name, name),
                [
                    Series(
                        "Concepts right",
                        x,
                        [first.concept_accuracy_start, *(p.concept_accuracy for p in points)],
                    ),
                    Series(
                        "Labels right", x, [first.label_accuracy_start, *(p.label_accuracy for p in points)]
                    ),
                    Series("Earlier corrections that hold", x[1:], [p.still_right for p in points]),
                ],
                "corrections",
                "share",
            )
        )
    return Exhibit(
        "correction-chain",
        "One correction after another",
        "The same model corrected again and again, without going back.",
        [
            {
                "rule": RULES.get(name, name),
                "corrections": point.corrections,
                "concepts_right": point.concept_accuracy,
                "labels_right": point.label_accuracy,
                "earlier_still_right": point.still_right,
                "bits_changed": point.drift,
            }
            for name, points in chains.items()
            for point in points
        ],
        "Accuracy on other reviews, and earlier corrections that hold, along a chain of corrections",
        plots_figure(plots),
        percents=("concepts_right", "labels_right", "earlier_still_right"),
    )

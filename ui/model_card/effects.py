"""Whether setting a concept by hand does what editing the text does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.figures import intervals_figure, precise_percent
from ui.widgets.exhibits import Exhibit, Section, ranged, where

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import Effects, ModelReport

ONE_HOT, ZERO = "one_hot", "zero"
ESTIMATORS = {
    "one_hot": "The concept set by hand (1 and 0)",
    "typical": "The concept set to typical values",
    "zero": "For comparison: nothing changes",
    "random_state": "For comparison: a state drawn at random",
    "own_path": "Only this concept as it is read in the other text",
}


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
        [ranged("Error", [found.estimators[name].l2 for name in names])],
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

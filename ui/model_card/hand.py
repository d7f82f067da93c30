"""What the label gains when a person sets concepts right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.figures import Curve, Panel, curves_figure, precise_percent
from ui.widgets.exhibits import Exhibit, Section, points, signed_points, where

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import (
        HandCurve,
        ModelReport,
    )

ONE_HOT, WRONG = "one_hot", "wrong"
VALUES = {"one_hot": "set to 1 and 0", "typical": "set to typical values"}
ORDERS = {"random": "in random order", "least_confident": "least sure first"}
REPLACED = {"wrong": "Only what the model has wrong", "all": "Every concept, also those that are right"}


def corrections(report: ModelReport) -> Section | None:
    """Label accuracy against the number of concepts set by hand."""
    measured = report.corrections
    if measured is None or measured.result is None:
        return None
    curves = measured.result.curves
    count = len(report.names.concepts)
    panels = [
        Panel(
            title,
            [
                Curve(_name(curve), list(range(count + 1)), curve.accuracy, curve.std)
                for curve in curves
                if curve.replaced == replaced
            ],
        )
        for replaced, title in REPLACED.items()
        if any(curve.replaced == replaced for curve in curves)
    ]
    figure = curves_figure(panels, "concepts looked at", "labels right")
    figure.update_xaxes(dtick=1, tickformat="d")
    return Section(
        "What setting concepts by hand does to the label",
        tuple(said for said in (hand_words(curves),) if said),
        (
            Exhibit(
                "corrections-by-hand",
                "",
                "Each concept looked at is given the state that people marked. In random order: mean and "
                "standard deviation over several orders.",
                curve_rows(curves),
                "Labels right against the number of concepts set by hand",
                figure,
                percents=("labels_right", "standard_deviation", "concepts_right"),
            ),
        ),
        where(measured),
    )


def _name(curve: HandCurve) -> str:
    values = VALUES.get(curve.values, curve.values)
    return f"{ORDERS.get(curve.order, curve.order)}, {values}".capitalize()


def curve_rows(curves: Sequence[HandCurve]) -> list[dict[str, Any]]:
    return [
        {
            "set": REPLACED.get(curve.replaced, curve.replaced),
            "order": ORDERS.get(curve.order, curve.order),
            "values": VALUES.get(curve.values, curve.values),
            "concepts_looked_at": number,
            "labels_right": accuracy,
            "standard_deviation": std,
            "concepts_right": concepts,
        }
        for curve in curves
        for number, (accuracy, std, concepts) in enumerate(
            zip(curve.accuracy, curve.std, curve.concept_accuracy, strict=True)
        )
    ]


def as_by_hand(curves: Sequence[HandCurve]) -> HandCurve | None:
    """The curve of what a person does in the app: plain ones and zeros, and only where the model is wrong."""
    return next((one for one in curves if (one.values, one.replaced) == (ONE_HOT, WRONG)), None)


def hand_words(curves: Sequence[HandCurve]) -> str:
    """What putting every wrong concept right does to the label, and what touching right ones does."""
    wrong = as_by_hand(curves)
    if wrong is None:
        return ""
    before, after = wrong.accuracy[0], wrong.accuracy[-1]
    said = (
        f"With every wrong concept set right by hand, {precise_percent(after)} of the labels are right "
        f"instead of {precise_percent(before)} ({signed_points(after - before)} points)."
    )
    every = next((one for one in curves if one.values == wrong.values and one.replaced != WRONG), None)
    if every is not None and every.accuracy[-1] < after:
        lost = after - every.accuracy[-1]
        said += (
            f" Setting also those that were right already takes {points(lost)} away again: their finer "
            "shades are lost."
        )
    return said

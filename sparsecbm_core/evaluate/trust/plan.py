"""The parts of a report as work to do: what each is measured with, and how much reading it takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sparsecbm_core.evaluate.common import data_name
from sparsecbm_core.evaluate.trust import deep, measures
from sparsecbm_core.evaluate.trust.context import Context
from sparsecbm_core.evaluate.trust.options import WORDS
from sparsecbm_core.evaluate.trust.results import Measured, ModelReport
from sparsecbm_core.progress import OnCount

ONCE = 0.02  # of a read: what is computed from outputs that are there already
# What scoring the words of a review costs, in reads of it by all subnetworks, and what erasing them does.
SCORING = {"gradient": 3.0, "input_x_gradient": 3.0, "integrated_gradients": 44.0, "occlusion": 24.0}
ERASING = 12.0  # per ranking: two texts for each share of the words, half as long on average


@dataclass(frozen=True)
class Part:
    """One part: its name in the report (and token ``method``), and how it is measured.

    ``reads`` is its cost in reviews read once, beside reading all of them for the parts that share that.
    ``settings`` are what its figures depend on besides model, data and seed.
    """

    name: str
    method: str | None
    title: str
    measure: Callable[[OnCount], Any]
    examples: int
    reads: float
    shares_reading: bool
    settings: Mapping[str, Any]

    def same(self, record: Measured[Any], context: Context) -> list[str]:
        """What a part that is there was measured with otherwise; empty where it is as it would be now."""
        differs = [
            name
            for name in {**record.settings, **self.settings}
            if record.settings.get(name) != self.settings.get(name)
        ]
        if record.data != data_name(context.data):
            differs.append("data")
        if record.seed != context.options.seed:
            differs.append("seed")
        return differs


def plan(context: Context) -> list[Part]:
    """The parts that the options ask for, in the order in which they are measured.

    "interventions" is none of them: it is taken from the file of another command.
    """
    parts = []
    for name in context.options.parts:
        if name == WORDS:
            parts += [_words(context, method) for method in context.options.word_methods]
        elif name in _SHARED:
            parts.append(_shared(context, name))
        elif name == "subnetworks":
            parts.append(_subnetworks(context))
    return parts


_SHARED: Mapping[str, tuple[str, Callable[[Context, OnCount], Any], tuple[str, ...]]] = {
    "accuracy": ("accuracy", measures.measure_accuracy, ("draws",)),
    "leakage": ("leakage", measures.measure_leakage, ("draws",)),
    "corrections": ("corrections by hand", measures.measure_corrections, ("curve_draws",)),
    "calibration": ("calibration", measures.measure_calibration, ()),
    "effects": ("effects of concepts", measures.measure_effects, ()),
}


def _shared(context: Context, name: str) -> Part:
    """A part that is computed from the model's outputs on all reviews."""
    title, measure, depends = _SHARED[name]
    settings: dict[str, Any] = {one: getattr(context.options, one) for one in depends}
    if name in ("corrections", "effects") and context.reference is not None:
        settings["reference"] = data_name(context.reference)
    return Part(
        name,
        None,
        title,
        partial(measure, context),
        len(context.data),
        ONCE * len(context.data),
        True,
        _stored(context, settings),
    )


def _subnetworks(context: Context) -> Part:
    count = min(len(context.data), context.options.subnetwork_reviews)
    return Part(
        "subnetworks",
        None,
        "subnetworks",
        partial(deep.measure_subnetworks, context),
        count,
        count * (1.0 + context.model.space.num_concepts) if context.model.masks is not None else 0.0,
        False,
        _stored(context, {"subnetwork_reviews": context.options.subnetwork_reviews}),
    )


def _words(context: Context, method: str) -> Part:
    count = min(len(context.data), context.options.word_reviews)
    sparse = context.model.masks is not None
    cost = SCORING[method] * (2 if sparse else 1) + ERASING * (3 if sparse else 2)
    return Part(
        WORDS,
        method,
        f"words by {method.replace('_', ' ')}",
        partial(deep.measure_words, context, method),
        count,
        count * cost,
        False,
        _stored(context, {"word_reviews": context.options.word_reviews}),
    )


def _stored(context: Context, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they come back from a file."""
    stored: dict[str, Any] = json.loads(json.dumps({**context.chosen, **settings}))
    return stored


def missing(parts: list[Part], report: ModelReport) -> list[Part]:
    """Those that the report does not hold."""
    return [part for part in parts if report.part(part.name, part.method) is None]

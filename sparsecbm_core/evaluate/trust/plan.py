"""A report as work to do: its parts, what each is measured with, and how much reading it takes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.common import check_fits, data_name
from sparsecbm_core.evaluate.parts import in_turn
from sparsecbm_core.evaluate.trust import measures
from sparsecbm_core.evaluate.trust.context import Context
from sparsecbm_core.evaluate.trust.options import WORDS
from sparsecbm_core.evaluate.trust.results import Measured, ModelReport, Names
from sparsecbm_core.explain.tokens.registry import token_method
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import OnCount, OnWork, unheard

Measure = Callable[[Context, OnCount], Any]
ONCE = 0.02  # of a read: what is computed from outputs that are there already
ERASING = 12.0  # reads per ranking: two texts for each share of the words, half as long on average
TRIAL = 8  # reviews read against the clock, after one that does not count
# A title, what measures the part, and the options that it depends on.
MEASURES: Mapping[str, tuple[str, Measure, tuple[str, ...]]] = {
    "accuracy": ("accuracy", measures.measure_accuracy, ("draws",)),
    "leakage": ("leakage", measures.measure_leakage, ("draws",)),
    "corrections": ("corrections by hand", measures.measure_corrections, ("curve_draws",)),
    "calibration": ("calibration", measures.measure_calibration, ()),
    "effects": ("effects of concepts", measures.measure_effects, ()),
    "subnetworks": ("subnetworks", measures.measure_subnetworks, ("subnetwork_reviews",)),
}
SETS_BY_HAND = ("corrections", "effects")  # to typical values of the reference, too


@dataclass(frozen=True)
class Part:
    """One part: its ``field`` in the report (and token ``method``), and how it is measured.

    ``units`` is its cost in reviews read once; ``reads_all`` parts share one reading of all reviews, which is
    not among them. ``settings`` are what its figures depend on besides model, data and seed.
    """

    field: str
    method: str | None
    name: str
    measure: Measure
    context: Context
    examples: int
    units: float
    reads_all: bool
    settings: Mapping[str, Any]

    def run(self, report: OnWork) -> Measured[Any]:
        """Its figures, or the reason why it does not apply to the model or the data."""
        result, skipped = None, None
        try:
            result = self.measure(self.context, lambda done, total: report(done, total, ""))
        except InputError as error:
            skipped = str(error)
        data, seed = data_name(self.context.data), self.context.options.seed
        return Measured(data, self.examples, seed, None, self.settings, result, skipped)

    def differs(self, record: Measured[Any]) -> list[str]:
        """What a part that is there was measured with otherwise; empty where it is as it would be now."""
        known = {**record.settings, "data": record.data, "seed": record.seed}
        now = {**self.settings, "data": data_name(self.context.data), "seed": self.context.options.seed}
        return sorted(name for name in {**known, **now} if known.get(name) != now.get(name))


def plan(context: Context) -> list[Part]:
    """The parts that the options ask for, in the order in which they are measured.

    "interventions" is none of them: it is taken from the file of another command.
    """
    parts = []
    for field in context.options.parts:
        if field == WORDS:
            parts += [_words(context, method) for method in context.options.word_methods]
        elif field in MEASURES:
            parts.append(_part(context, field))
    return parts


def _part(context: Context, field: str) -> Part:
    name, measure, depends = MEASURES[field]
    count = len(context.data)
    units, reads_all = ONCE * count, True
    settings: dict[str, Any] = {one: getattr(context.options, one) for one in depends}
    if field in SETS_BY_HAND and context.reference is not None:
        settings["reference"] = data_name(context.reference)
    if field == "subnetworks":
        count = min(count, context.options.subnetwork_reviews)
        passes = 0 if context.model.masks is None else 1 + context.model.space.num_concepts
        units, reads_all = float(count * passes), False
    return Part(field, None, name, measure, context, count, units, reads_all, _stored(context, settings))


def _words(context: Context, method: str) -> Part:
    count = min(len(context.data), context.options.word_reviews)
    swaps = context.model.masks is not None
    cost = token_method(method).cost * (2 if swaps else 1) + ERASING * (3 if swaps else 2)
    settings = _stored(context, {"word_reviews": context.options.word_reviews})
    name, measure = f"words by {method.replace('_', ' ')}", partial(measures.measure_words, method=method)
    return Part(WORDS, method, name, measure, context, count, count * cost, False, settings)


def _stored(context: Context, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they come back from a file."""
    stored: dict[str, Any] = json.loads(json.dumps({**context.chosen, **settings}))
    return stored


def missing(context: Context, report: ModelReport) -> list[Part]:
    """The parts that the report does not hold. The first that needs all reviews read pays for that."""
    left = [part for part in plan(context) if report.part(part.field, part.method) is None]
    for place, part in enumerate(left):
        if part.reads_all:
            reading = len(context.data) + (0 if context.reference is None else len(context.reference))
            left[place] = replace(part, units=part.units + reading)
            break
    return left


def seconds_a_read(context: Context) -> float:
    """Seconds that reading one review takes, by a few just read."""
    texts = context.data.texts[: TRIAL + 1]
    context.model.predict(texts[:1])
    started = time.perf_counter()
    context.model.predict(texts[-TRIAL:])
    return (time.perf_counter() - started) / len(texts[-TRIAL:])


def empty_report(model: ConceptModel) -> ModelReport:
    """A report of which nothing is measured; `InputError` for a standard classifier."""
    _ = model.cbm
    space = model.space
    return ModelReport(model.fingerprint, Names(space.concepts, space.states, space.labels))


def checked(context: Context, found: ModelReport | None, overwrite: bool = False) -> ModelReport:
    """The report to go on with: what is there already, or an empty one.

    With ``overwrite`` the parts that are asked for are measured anew, and another model's report is given up.
    Raises `InputError` where what is there is of another model, or was measured otherwise than it would be.
    """
    fresh = empty_report(context.model)
    check_fits(context.model, context.data)
    if found is None or (overwrite and found.model != fresh.model):
        return fresh
    if found.model != fresh.model:
        raise InputError(
            f"the report there is of another model (fingerprint {found.model}) than the one given "
            f"({fresh.model}); write to another file, or --overwrite it"
        )
    for part in plan(context):
        record = found.part(part.field, part.method)
        if overwrite:
            found = found.with_part(part.field, None, part.method)
        elif record is not None and (differs := part.differs(record)):
            raise InputError(
                f"the report there has {part.name} measured otherwise ({', '.join(differs)}); write to "
                "another file, or --overwrite this part"
            )
    return found


def measure(
    context: Context,
    report: ModelReport,
    on_part: Callable[[ModelReport], None] = unheard,
    on_progress: OnWork = unheard,
) -> ModelReport:
    """The report with everything that was asked for; ``on_part`` gets it after each part."""

    def keep(part: Part, measured: Measured[Any], seconds: float) -> None:
        nonlocal report
        report = report.with_part(part.field, replace(measured, seconds=round(seconds, 3)), part.method)
        on_part(report)

    in_turn(missing(context, report), keep, on_progress)
    return report

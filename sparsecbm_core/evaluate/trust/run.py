"""Measures a report part by part: what is done is kept, and how long the rest takes is said first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.common import check_fits, data_name
from sparsecbm_core.evaluate.trust.context import Context
from sparsecbm_core.evaluate.trust.plan import Part, missing, plan
from sparsecbm_core.evaluate.trust.results import Measured, ModelReport, Names
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import OnWork, unheard

TRIAL = 8  # reviews read against the clock, after one that does not count
FINE = 100  # ticks of the progress bar a read


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
    parts = plan(context)
    if overwrite:
        for part in parts:
            found = found.without(part.name, part.method)
        return found
    for part in parts:
        record = found.part(part.name, part.method)
        differs = [] if record is None else part.same(record, context)
        if differs:
            raise InputError(
                f"the report there has {part.title} measured otherwise ({', '.join(sorted(differs))}); write "
                "to another file, or --overwrite this part"
            )
    return found


def seconds_left(context: Context, parts: Sequence[Part]) -> float:
    """About how long ``parts`` take, going by a few reviews just read."""
    texts = context.data.texts[: TRIAL + 1]
    context.model.predict(texts[:1])
    started = time.perf_counter()
    context.model.predict(texts[-TRIAL:])
    each = (time.perf_counter() - started) / len(texts[-TRIAL:])
    return each * sum(_costs(context, parts))


def _costs(context: Context, parts: Sequence[Part]) -> list[float]:
    """Reads of each part; the first that needs all reviews read pays for that."""
    costs, read = [], False
    for part in parts:
        first = part.shares_reading and not read
        reading = len(context.data) + (0 if context.reference is None else len(context.reference))
        costs.append(part.reads + (reading if first else 0))
        read = read or part.shares_reading
    return costs


def measure(
    context: Context,
    report: ModelReport,
    on_part: Callable[[ModelReport], None] = lambda report: None,
    on_progress: OnWork = unheard,
) -> ModelReport:
    """The report with everything that was asked for; ``on_part`` gets it after each part.

    A part that does not apply to the model or the data is kept with the reason why.
    """
    parts = missing(plan(context), report)
    sizes = [max(1, round(FINE * cost)) for cost in _costs(context, parts)]
    for place, part in enumerate(parts):
        before, size = sum(sizes[:place]), sizes[place]

        def inside(
            done: int, total: int, before: int = before, size: int = size, title: str = part.title
        ) -> None:
            on_progress(before + round(size * min(1.0, done / max(1, total))), sum(sizes), title)

        on_progress(before, sum(sizes), part.title)
        started, result, skipped = time.perf_counter(), None, None
        try:
            result = part.measure(inside)
        except InputError as error:
            skipped = str(error)
        measured = Measured(
            data=data_name(context.data),
            examples=part.examples,
            seed=context.options.seed,
            seconds=round(time.perf_counter() - started, 3),
            settings=part.settings,
            result=result,
            skipped=skipped,
        )
        report = report.with_part(part.name, measured, part.method)
        on_part(report)
    on_progress(sum(sizes), max(1, sum(sizes)), "done")
    return report

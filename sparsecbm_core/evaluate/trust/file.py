"""The report on a model as a file, ``evaluation.json`` beside it: written, read, checked by its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.evaluate.trust.results import SCHEMA_VERSION, Interventions, ModelReport, Reliability
from sparsecbm_core.files import read_json, too_new, write_json

Form = TypeVar("Form", bound=BaseModel)


class _File(BaseModel):
    """The dataclasses of a report are checked as strictly as this class says."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    report: ModelReport


class _Interventions(BaseModel):
    model_config = _File.model_config

    interventions: Interventions


def report_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `ModelReport.to_dict()`."""
    schema = _File.model_json_schema()
    whole = {**schema["$defs"]["ModelReport"], "$defs": schema["$defs"], "title": "SparseCBM evaluation"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def save_report(report: ModelReport, path: Path) -> None:
    """Whole or not at all."""
    write_json(path, report.to_dict())


def read_report(path: Path) -> ModelReport:
    """Inverse of `save_report`; `CheckpointError` in one line naming the file and what is wrong with it."""
    try:
        data = read_json(path)
    except RecursionError as error:
        raise CheckpointError(f"{path} is damaged: it is nested too deeply") from error
    version = data.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int):
        raise CheckpointError(f"{path} is no evaluation of a model: it has no schema_version")
    if version > SCHEMA_VERSION:
        raise too_new(path, version, SCHEMA_VERSION)
    try:
        return load_report(data)
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def load_report(data: Mapping[str, Any]) -> ModelReport:
    """The report of a dictionary; ValueError naming the first thing that is wrong."""
    report = _checked(_File, "report", data).report
    for problem in _problems(report):
        raise ValueError(problem)
    return report


def load_interventions(data: Mapping[str, Any]) -> Interventions:
    """The same for the part that comes from another command."""
    return _checked(_Interventions, "interventions", data).interventions


def _checked(kind: type[Form], name: str, data: Mapping[str, Any]) -> Form:
    """Through JSON, so that only what a file can hold is accepted."""
    try:
        return kind.model_validate_json(json.dumps({name: dict(data)}, allow_nan=False))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"][1:])) or "as a whole"
        raise ValueError(f"{place}: {first['msg']}") from error


def _problems(report: ModelReport) -> Iterator[str]:
    """What the types of single values do not say: names, and sizes that depend on them."""
    concepts, count = report.names.concepts, len(report.names.concepts)
    for name, keys in _named_by_concept(report):
        if set(keys) != set(concepts):
            yield f"{name}: speaks of {sorted(keys)}, the model of {sorted(concepts)}"
    if report.subnetworks is not None and (found := report.subnetworks.result) is not None:
        for name in ("swapped", "removed", "lost"):
            rows = getattr(found, name)
            if [len(row) for row in rows] != [count] * count:
                yield f"subnetworks.{name}: is no matrix of {count} rows and columns"
        if len(found.majority) != count:
            yield f"subnetworks.majority: has {len(found.majority)} values for {count} concepts"
    if report.corrections is not None and report.corrections.result is not None:
        for curve in report.corrections.result.curves:
            if {len(curve.accuracy), len(curve.std), len(curve.concept_accuracy)} != {count + 1}:
                yield f"corrections: a curve of {count} concepts has {count + 1} points"
    for table in _tables(report):
        bins = len(table.count)
        if (len(table.edges), len(table.confidence), len(table.accuracy)) != (bins + 1, bins, bins):
            yield f"calibration: a table of {bins} bins does not have {bins + 1} edges and a value in each"
    for method, words in report.words.items():
        for ranking in () if words.result is None else words.result.rankings.values():
            sizes = {len(ranking.comprehensiveness_curve), len(ranking.sufficiency_curve)}
            if words.result is not None and sizes != {len(words.result.shares)}:
                yield f"words.{method}: a curve does not have a point for each share"


def _named_by_concept(report: ModelReport) -> Iterator[tuple[str, Any]]:
    """Every part that must name all concepts of the model."""
    if report.accuracy is not None and report.accuracy.result is not None:
        yield "accuracy.concepts", report.accuracy.result.concepts
    if report.calibration is not None and report.calibration.result is not None:
        yield "calibration.concepts", report.calibration.result.concepts
    if report.subnetworks is not None and report.subnetworks.result is not None:
        yield "subnetworks.concepts", report.subnetworks.result.concepts


def _tables(report: ModelReport) -> Iterator[Reliability]:
    if report.calibration is not None and (found := report.calibration.result) is not None:
        for scaled in (found.label, *found.concepts.values()):
            yield from (scaled.before, scaled.after)

"""The report on a model as a file, ``evaluation.json`` beside it: written, read, checked by its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sparsecbm_core.errors import CheckpointError, InputError, first_problem
from sparsecbm_core.evaluate.trust.interventions import Interventions
from sparsecbm_core.evaluate.trust.results import SCHEMA_VERSION, Measured, ModelReport
from sparsecbm_core.files import read_json, too_new, write_json

Form = TypeVar("Form", bound=BaseModel)
Result = TypeVar("Result")


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


def read_interventions(path: Path, model: str) -> Measured[Interventions]:
    """The figures of ``sparsecbm intervene-eval``, of the model with this fingerprint.

    Raises `InputError` for another model's file, `CheckpointError` for one that is damaged or of another
    kind.
    """
    values = read_json(path)
    if "rules" not in values or "model" not in values:
        raise CheckpointError(f"{path} is not a result of 'sparsecbm intervene-eval': it names no rules")
    if values["model"] != model:
        raise InputError(
            f"{path} is of another model (fingerprint {values['model']}) than the one given ({model})"
        )
    try:
        settings = dict(values["settings"])
        found = {"guard": settings["guard"], "rules": values["rules"], "sequential": values["sequential"]}
        result = _checked(_Interventions, "interventions", found).interventions
        pairs = max((rule.pairs for rule in result.rules.values()), default=0)
        return Measured(dict(values["data"]), pairs, int(settings["seed"]), None, settings, result)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def _checked(kind: type[Form], name: str, data: Mapping[str, Any]) -> Form:
    """Through JSON, so that only what a file can hold is accepted."""
    try:
        return kind.model_validate_json(json.dumps({name: dict(data)}, allow_nan=False))
    except ValidationError as error:
        raise ValueError(first_problem(error, skip=1)) from error


def _problems(report: ModelReport) -> Iterator[str]:
    """What the types of single values do not say: names, and sizes that depend on them."""
    concepts, count = report.names.concepts, len(report.names.concepts)
    accuracy, calibration = _found(report.accuracy), _found(report.calibration)
    corrections, subnetworks = _found(report.corrections), _found(report.subnetworks)
    for name, found in (("accuracy", accuracy), ("calibration", calibration), ("subnetworks", subnetworks)):
        if found is not None and set(found.concepts) != set(concepts):
            yield f"{name}.concepts: speaks of {sorted(found.concepts)}, the model of {sorted(concepts)}"
    if subnetworks is not None:
        for name in ("swapped", "removed", "lost"):
            if [len(row) for row in getattr(subnetworks, name)] != [count] * count:
                yield f"subnetworks.{name}: is no matrix of {count} rows and columns"
        if len(subnetworks.majority) != count:
            yield f"subnetworks.majority: has {len(subnetworks.majority)} values for {count} concepts"
    for curve in () if corrections is None else corrections.curves:
        if {len(curve.accuracy), len(curve.std), len(curve.concept_accuracy)} != {count + 1}:
            yield f"corrections: a curve of {count} concepts has {count + 1} points"
    scaled = () if calibration is None else (calibration.label, *calibration.concepts.values())
    for table in (table for one in scaled for table in (one.before, one.after)):
        bins = len(table.count)
        if (len(table.edges), len(table.confidence), len(table.accuracy)) != (bins + 1, bins, bins):
            yield f"calibration: a table of {bins} bins does not have {bins + 1} edges and a value in each"
    for method, words in report.words.items():
        for ranking in () if words.result is None else words.result.rankings.values():
            sizes = {len(ranking.comprehensiveness_curve), len(ranking.sufficiency_curve)}
            if words.result is not None and sizes != {len(words.result.shares)}:
                yield f"words.{method}: a curve does not have a point for each share"


def _found(part: Measured[Result] | None) -> Result | None:
    return None if part is None else part.result

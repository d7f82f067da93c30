"""Figures over seeds, and how tables write them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sparsecbm_core.experiments.experiment import Measured

FIGURES = (
    "concept_accuracy",
    "concept_macro_f1",
    "concept_paper_f1",
    "task_accuracy",
    "task_macro_f1",
    "task_paper_f1",
)


def spread(values: Iterable[float | None]) -> dict[str, Any] | None:
    """Mean and standard deviation (n − 1; None for a single value); None where nothing was measured."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else None
    return {"mean": statistics.mean(known), "std": deviation, "values": known}


def over_seeds(parts: Sequence[Measured], figures: Sequence[str]) -> list[dict[str, Any]]:
    """Parts that differ in their seed alone as one row each: labels, seeds, and `spread` of every figure."""
    groups: dict[tuple[Any, ...], list[Measured]] = {}
    for part in parts:
        key = tuple((name, value) for name, value in part.labels.items() if name != "seed")
        groups.setdefault(key, []).append(part)
    return [
        {
            **dict(key),
            "seeds": [part.labels.get("seed") for part in members],
            **{name: spread(part.result.get(name) for part in members) for name in figures},
        }
        for key, members in groups.items()
    ]


def cell(value: Mapping[str, Any] | None, scale: float = 100.0, digits: int = 1) -> str:
    """A `spread` as a table writes it: in per cent, with its deviation over seeds if there is one.

    >>> cell({"mean": 0.8812, "std": 0.0031}), cell({"mean": 0.5, "std": None}), cell(None)
    ('88.1 ± 0.3', '50.0', '–')
    """
    if value is None:
        return "–"
    mean = f"{scale * value['mean']:.{digits}f}"
    return mean if value["std"] is None else f"{mean} ± {scale * value['std']:.{digits}f}"


def overlap_cell(value: Mapping[str, Any] | None, digits: int = 2) -> str:
    """A `spread` of mean Jaccard overlaps; none where every concept has all the weights.

    >>> overlap_cell({"mean": 0.746, "std": None}), overlap_cell({"mean": 1.0, "std": 0.0})
    ('0.75', '–')
    """
    return "–" if value is None or value["mean"] == 1.0 else cell(value, scale=1, digits=digits)


def number(value: float | None, scale: float = 100.0, digits: int = 1) -> str:
    """A single figure, in per cent by default."""
    return "–" if value is None else f"{scale * value:.{digits}f}"


def mean_of(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value is None else value["mean"]


def std_of(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value is None else value["std"]

"""Figures over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
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

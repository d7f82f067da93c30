"""What an experiment is: parts to measure, and what becomes of their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.lab import Lab

Labels = Mapping[str, str | int | float]


@dataclass(frozen=True)
class Part:
    """The least that is measured at one go, and kept when it is done.

    ``labels`` tell it from the other parts and make its name. ``settings`` is everything that decides its
    result: a part found in a file with other settings is not this part. ``units`` is its cost, in units of
    the experiment's own. ``run`` measures it and returns plain JSON types.
    """

    labels: Labels
    units: float
    settings: Mapping[str, Any]
    run: Callable[[OnWork], dict[str, Any]]

    @property
    def name(self) -> str:
        return part_name(self.labels)


@dataclass(frozen=True)
class Measured:
    """A finished part as the summary sees it."""

    labels: Labels
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of the results page: text cells, one list a row."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Experiment:
    """One question to the method, and how it is answered.

    ``title`` names it, ``claim`` says what the paper (or this project) says of it. ``options`` is a frozen
    dataclass of what can be chosen (see `options`). ``parts(lab, options)`` lists the work, ``unit(lab,
    options)`` measures the seconds that one unit of it takes here. ``summary(parts)`` makes the results of
    what was measured, and ``tables``, ``draw`` and ``page`` show such results and read nothing else:
    ``draw`` as a chart (None while there is nothing to draw), ``page`` as HTML instead. ``reads_data`` is
    False where no data set is asked for.
    """

    name: str
    title: str
    claim: str
    options: type[Any]
    parts: Callable[[Lab, Any], list[Part]]
    unit: Callable[[Lab, Any], float]
    summary: Callable[[Sequence[Measured]], dict[str, Any]]
    tables: Callable[[Mapping[str, Any]], list[Table]]
    draw: Callable[[Mapping[str, Any]], go.Figure | None] | None = None
    page: Callable[[Mapping[str, Any]], str] | None = None
    reads_data: bool = True


def part_name(labels: Labels) -> str:
    """Values in their order.

    >>> part_name({"criterion": "magnitude", "sparsity": 0.75, "seed": 0})
    'magnitude/0.75/0'
    """
    return "/".join(value if isinstance(value, str) else f"{value:g}" for value in labels.values())

"""What an experiment is: parts to measure, and what becomes of their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sparsecbm_core.experiments.lab import Lab
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

Labels = Mapping[str, str | int | float]
Row = Mapping[str, Any]
Results = Mapping[str, Any]


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


class Study(Protocol):
    """The file of an experiment: one question to the method, and how it is answered.

    ``TITLE`` names it, ``CLAIM`` says what the paper (or this project) says of it. ``Options`` is a frozen
    dataclass of what can be chosen (see `options`). ``parts`` lists the work, ``unit`` measures the seconds
    that one unit of it takes here (see `estimate`). ``summary`` makes the results of what was measured, and
    ``tables`` shows them. A file may also have ``draw``, which shows them as a chart (None while there is
    nothing to draw), or ``page``, as HTML instead; both read nothing else. ``READS_DATA = False`` stands
    where no data set is asked for.
    """

    @property
    def NAME(self) -> str: ...
    @property
    def TITLE(self) -> str: ...
    @property
    def CLAIM(self) -> str: ...
    @property
    def Options(self) -> type[Any]: ...
    def parts(self, lab: Lab, options: Any, /) -> list[Part]: ...
    def unit(self, lab: Lab, options: Any, /) -> float: ...
    def summary(self, parts: Sequence[Measured], /) -> dict[str, Any]: ...
    def tables(self, results: Results, /) -> list[Table]: ...


@dataclass(frozen=True)
class Experiment:
    """What a `Study` says."""

    name: str
    title: str
    claim: str
    options: type[Any]
    parts: Callable[[Lab, Any], list[Part]]
    unit: Callable[[Lab, Any], float]
    summary: Callable[[Sequence[Measured]], dict[str, Any]]
    tables: Callable[[Results], list[Table]]
    draw: Callable[[Results], go.Figure | None] | None = None
    page: Callable[[Results], str] | None = None
    reads_data: bool = True

    @classmethod
    def of(cls, study: Study) -> Experiment:
        return cls(
            study.NAME,
            study.TITLE,
            study.CLAIM,
            study.Options,
            study.parts,
            study.unit,
            study.summary,
            study.tables,
            getattr(study, "draw", None),
            getattr(study, "page", None),
            getattr(study, "READS_DATA", True),
        )


def part_name(labels: Labels) -> str:
    """Values in their order.

    >>> part_name({"criterion": "magnitude", "sparsity": 0.75, "seed": 0})
    'magnitude/0.75/0'
    """
    return "/".join(value if isinstance(value, str) else f"{value:g}" for value in labels.values())

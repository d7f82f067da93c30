"""How tables and charts show figures over seeds, and single ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.experiments.experiment import Row, Table

if TYPE_CHECKING:
    from sparsecbm_core.figures import Curve

Column = tuple[str, "str | Callable[[Row], str]"]
SCORES: Sequence[Column] = (
    ("concept acc.", "concept_accuracy"),
    ("macro-F1", "concept_macro_f1"),
    ("paper-F1", "concept_paper_f1"),
    ("label acc.", "task_accuracy"),
    ("macro-F1", "task_macro_f1"),
    ("paper-F1", "task_paper_f1"),
)
PLAIN_SCORES = [column for column in SCORES if column[0] != "paper-F1"]


def cell(value: Row | None, scale: float = 100.0, digits: int = 1) -> str:
    """A `spread` as a table writes it: in per cent, with its deviation over seeds if there is one.

    >>> cell({"mean": 0.8812, "std": 0.0031}), cell({"mean": 0.5, "std": None}), cell(None)
    ('88.1 ± 0.3', '50.0', '–')
    """
    if value is None:
        return "–"
    mean = f"{scale * value['mean']:.{digits}f}"
    return mean if value["std"] is None else f"{mean} ± {scale * value['std']:.{digits}f}"


def overlap_cell(value: Row | None, digits: int = 2) -> str:
    """A `spread` of mean Jaccard overlaps; none where every concept has all the weights.

    >>> overlap_cell({"mean": 0.746, "std": None}), overlap_cell({"mean": 1.0, "std": 0.0})
    ('0.75', '–')
    """
    return "–" if value is None or value["mean"] == 1.0 else cell(value, scale=1, digits=digits)


def number(value: float | None, scale: float = 100.0, digits: int = 1) -> str:
    """A single figure, in per cent by default."""
    return "–" if value is None else f"{scale * value:.{digits}f}"


def table(title: str, rows: Iterable[Row], columns: Sequence[Column]) -> Table:
    """A row for each of ``rows``. A column is its heading with what writes its cells, or the name of a label
    or figure that is written as it is.

    >>> row = {"rule": "paper", "seed": 0, "right": 0.5}
    >>> found = table("Best", [row], [("rule", "rule"), ("seed", "seed"), ("right", single("right"))])
    >>> found.header, found.rows
    (['rule', 'seed', 'right'], [['paper', '0', '50.0']])
    """
    header, hows = [heading for heading, _ in columns], [how for _, how in columns]
    writers = [_writer(how) if isinstance(how, str) else how for how in hows]
    return Table(title, header, [[write(row) for write in writers] for row in rows])


def _writer(name: str) -> Callable[[Row], str]:
    def write(row: Row) -> str:
        value = row[name]
        if value is None or isinstance(value, dict):
            return cell(value)
        return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:g}"

    return write


def single(name: str, digits: int = 1, scale: float = 100.0) -> Callable[[Row], str]:
    """Writes a single figure of a row; a dotted name leads to one further down."""

    def write(row: Row) -> str:
        value: Any = row
        for step in name.split("."):
            value = value[step]
        return number(value, scale, digits)

    return write


def mean(name: str, scale: float = 100.0, digits: int = 1) -> Callable[[Row], str]:
    """Writes a `spread` of a row."""
    return lambda row: cell(row[name], scale, digits)


def backbone(row: Row) -> str:
    """A row's backbone without its owner."""
    return str(row["backbone"].rsplit("/", 1)[-1])


def where(rows: Sequence[Row]) -> Callable[[Row], str]:
    """What a chart writes behind a name: backbone and split, unless all rows have the same."""
    many = len({(row["backbone"], row["split"]) for row in rows}) > 1
    return lambda row: f" ({backbone(row)}, {row['split']})" if many else ""


def seed_of(rows: Sequence[Row]) -> Callable[[Row], str]:
    """The seed behind a name, unless all rows have the same."""
    many = len({row["seed"] for row in rows}) > 1
    return lambda row: f", seed {row['seed']:g}" if many else ""


def mean_of(row: Row, name: str) -> float | None:
    value = row.get(name)
    return None if value is None else value["mean"]


def std_of(row: Row, name: str) -> float | None:
    value = row.get(name)
    return None if value is None else value["std"]


def curve(
    name: str, rows: Iterable[Row], x: str, figure: str, mark: Callable[[Row], str] | None = None
) -> Curve:
    """A `spread` of rows against ``x``, a label or another `spread`; ``mark`` is written at a point."""
    from sparsecbm_core.figures import Curve

    def dose(row: Row) -> float:
        return row[x]["mean"] if isinstance(row[x], dict) else row[x]

    known = sorted((row for row in rows if row[figure] and row[x] is not None), key=dose)
    texts = [] if mark is None else list(map(mark, known))
    means, stds = ([row[figure][name] for row in known] for name in ("mean", "std"))
    return Curve(name, list(map(dose, known)), means, stds, texts)

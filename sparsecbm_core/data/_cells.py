"""What the file readers share: cells that know where they stand, closed lists of names, counts."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.data.types import LoadReport
from sparsecbm_core.errors import DataError, SettingsError, one_of

NO_MAJORITY_LABEL = "no majority label"
EMPTY_LABEL = "empty label"
EMPTY_TEXT = "empty text"


def normalise(value: str) -> str:
    """The form in which names are compared: single spaces, no case."""
    return " ".join(value.split()).casefold()


def shorten(value: object, length: int = 80) -> object:
    """A value fit for a one-line message."""
    text = value if isinstance(value, str) else repr(value)
    return value if len(text) <= length else text[: length - 3] + "..."


class Choices:
    """A closed list of names, found whatever their case and spaces.

    ``aliases`` maps further spellings to names and wins over them. Where two spellings differ
    only in case or spaces, they must be given exactly.
    """

    def __init__(self, names: Sequence[str], aliases: Mapping[str, str] | None = None) -> None:
        self.names = tuple(names)
        self.aliases = dict(aliases or {})
        index = {name: position for position, name in enumerate(self.names)}
        self._exact = {name.strip(): position for name, position in index.items()}
        for spelling, name in self.aliases.items():
            if name not in index:
                raise SettingsError(f"{spelling!r} is mapped to an {one_of(name, self.names, 'name')}")
            self._exact[spelling.strip()] = index[name]
        loose: dict[str, set[int]] = {}
        for spelling, position in self._exact.items():
            loose.setdefault(normalise(spelling), set()).add(position)
        self._loose = {spelling: found.pop() for spelling, found in loose.items() if len(found) == 1}

    def find(self, value: str) -> int | None:
        """Index of the name meant by ``value``; None where there is none."""
        exact = self._exact.get(value.strip())
        return self._loose.get(normalise(value)) if exact is None else exact

    @property
    def allowed(self) -> tuple[str, ...]:
        """Every spelling a person may write, names first."""
        return (*self.names, *(spelling for spelling in self.aliases if spelling not in self.names))


@dataclass(frozen=True)
class Row:
    """One data row: ``number`` counts from 1 and leaves out a header line."""

    file: str
    number: int
    values: Mapping[str, Any]

    def problem(self, text: str, column: str | None = None) -> DataError:
        """An error that names the file, the row and the column."""
        place = f"{self.file}, data row {self.number} (counted from 1)"
        return DataError(f"{place}, column {column!r}: {text}" if column else f"{place}: {text}")

    def not_allowed(self, column: str, allowed: Iterable[object], value: object = None) -> DataError:
        """The error for a value outside a closed list; ``value`` defaults to the whole cell."""
        shown = self.values[column] if value is None else value
        return self.problem(
            one_of(shorten(shown), (a if a != "" else "(empty)" for a in allowed), "value"), column
        )

    def cell(self, column: str) -> Any:
        if column not in self.values:
            present = ", ".join(map(str, self.values))
            raise self.problem(f"missing; the row has: {present}", column)
        return self.values[column]

    def text(self, column: str, *, optional: bool = False) -> str:
        """The cell as text; with ``optional`` an absent value (null) reads as empty."""
        value = self.cell(column)
        if value is None and optional:
            return ""
        if not isinstance(value, str):
            raise self.problem(f"text expected, got {type(value).__name__} {shorten(value)!r}", column)
        return value


@dataclass
class Tally:
    """Counts what a loader reads and drops, and turns that into its report."""

    space: ConceptSpace
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    states: Counter[tuple[int, int]] = field(default_factory=Counter)

    def count(self, concepts: Sequence[int]) -> None:
        """One more row read, with these concept states (K indices)."""
        self.read += 1
        self.states.update(enumerate(concepts))

    def report(self, files: Iterable[Path | str]) -> LoadReport:
        counts = {
            concept: {state: self.states[k, c] for c, state in enumerate(self.space.states)}
            for k, concept in enumerate(self.space.concepts)
        }
        names = tuple(file.name if isinstance(file, Path) else file for file in files)
        return LoadReport(names, self.read, self.read - self.dropped.total(), dict(self.dropped), counts)


def read_text(path: Path) -> str:
    """The whole file as text, UTF-8 with or without a byte order mark, line ends untouched."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        bad = error.object[error.start]
        raise DataError(f"{path}: not UTF-8 text (byte 0x{bad:02x} at position {error.start})") from error


def read_csv(path: Path) -> tuple[tuple[str, ...], list[Row]]:
    """Header and rows of a comma-separated file; empty lines are no rows.

    Raises `DataError` for an empty file, a header that names a column twice, rows of another
    width than the header, broken quoting and text that is not UTF-8.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    rows: list[Row] = []
    try:
        header = tuple(name.strip() for name in next(filter(None, reader), ()))
        if not any(header):
            raise DataError(f"{path}: empty file; a header line and data rows are needed")
        twice = [name for name, times in Counter(filter(None, header)).items() if times > 1]
        if twice:
            raise DataError(f"{path}: column names given more than once in the header: {', '.join(twice)}")
        for number, cells in enumerate(filter(None, reader), start=1):
            row = Row(str(path), number, dict(zip(header, cells, strict=False)))
            if len(cells) != len(header):
                raise row.problem(
                    f"{len(cells)} cells where the header has {len(header)} columns (line {reader.line_num})"
                )
            rows.append(row)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: damaged or truncated CSV ({error})") from error
    if not rows:
        raise DataError(f"{path}: no data rows below the header")
    return header, rows


def require_columns(path: Path, header: Sequence[str], needed: Iterable[str]) -> None:
    """Raise a `DataError` that lists the columns present if one is missing."""
    missing = [column for column in needed if column not in header]
    if missing:
        raise DataError(f"{path}: missing column(s) {', '.join(missing)}; present: {', '.join(header)}")

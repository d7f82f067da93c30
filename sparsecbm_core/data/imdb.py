"""IMDB-C: film reviews with eight concepts, labelled by people or by a machine (Tan et al. 2023)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from sparsecbm_core.concepts import IMDB_PAPER_CONCEPTS, UNKNOWN, imdb_space
from sparsecbm_core.data._cells import (
    EMPTY_LABEL,
    EMPTY_TEXT,
    Choices,
    Row,
    Tally,
    normalise,
    read_csv,
    require_columns,
)
from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.errors import DataError, SettingsError, one_of

Source = Literal["both", "manual", "generated"]

_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def load_imdb(
    folder: str | Path,
    split: str,
    concepts: Sequence[str] = IMDB_PAPER_CONCEPTS,
    source: Source = "both",
) -> ReviewDataset:
    """Read ``IMDB-<split>-manual.csv`` and ``IMDB-<split>-generated.csv`` as they are published.

    ``source`` picks the labels made by people ("manual"), by a machine ("generated"), or both,
    manual first. ``concepts`` are the paper's four or any of the eight in the files. HTML line
    breaks become one space. Labels are hand-typed: case and stray spaces are ignored, and so is
    one slip of the keyboard ("Unkown"). An empty concept cell is "unknown"; rows without label
    or text are dropped and counted.

    Raises `DataError` for missing or damaged files and for labels that cannot be mapped,
    `SettingsError` for an unknown source or concept.

    >>> load_imdb("imdb", "dev", source="manual").texts
    ['A great film.']
    """
    if isinstance(concepts, str):
        raise SettingsError(f"concepts must be a list of names, got the text {concepts!r}")
    if source not in get_args(Source):
        raise SettingsError(one_of(source, get_args(Source), "IMDB-C source"))
    space = imdb_space(tuple(concepts))
    labels, states = Choices(space.labels), Choices(space.states, {"": UNKNOWN})
    paths = _find(Path(folder), split, ("manual", "generated") if source == "both" else (source,))

    tally, examples = Tally(space), []
    for kind, path in paths.items():
        header, rows = read_csv(path)
        require_columns(path, header, ("review", "sentiment", *space.concepts))
        for row in rows:
            text, sentiment = _plain(row.text("review")), row.text("sentiment")
            label = _read(row, "sentiment", labels) if sentiment.strip() else None
            found = tuple(_read(row, concept, states) for concept in space.concepts)
            tally.count(found)
            if label is None or not text:
                tally.dropped[EMPTY_LABEL if label is None else EMPTY_TEXT] += 1
            else:
                examples.append(Example(f"{split}-{kind}-{row.number}", text, label, found))
    name = "IMDB-C" if source == "both" else f"IMDB-C {source}"
    return ReviewDataset(name, split, space, tuple(examples), tally.report(paths.values()))


def _find(folder: Path, split: str, kinds: Sequence[str]) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; IMDB-C's CSV files are expected in it")
    present = {path.name: path for path in sorted(folder.glob("IMDB-*.csv"))}
    wanted = {kind: f"IMDB-{split}-{kind}.csv" for kind in kinds}
    missing = [name for name in wanted.values() if name not in present]
    if missing:
        found = ", ".join(present) or "no IMDB-*.csv"
        raise DataError(f"{folder}: missing {' and '.join(missing)}; the folder holds: {found}")
    return {kind: present[name] for kind, name in wanted.items()}


def _plain(review: str) -> str:
    """The review with runs of HTML line breaks as one space."""
    parts = (part.strip() for part in _LINE_BREAK.split(review))
    return " ".join(part for part in parts if part)


def _read(row: Row, column: str, choices: Choices) -> int:
    value = row.text(column)
    found = choices.find(value)
    if found is not None:
        return found
    near = [index for index, name in enumerate(choices.names) if _one_slip(normalise(value), normalise(name))]
    if len(near) != 1:
        raise row.not_allowed(column, choices.allowed)
    return near[0]


def _one_slip(typed: str, name: str) -> bool:
    """Whether one letter was added, left out or changed, or two neighbours swapped."""
    while typed and name and typed[0] == name[0]:
        typed, name = typed[1:], name[1:]
    while typed and name and typed[-1] == name[-1]:
        typed, name = typed[:-1], name[:-1]
    return max(len(typed), len(name)) <= 1 or (len(typed) == 2 and typed == name[::-1])

"""CEBaB: short restaurant reviews with human edits, four aspects and 1 to 5 stars (Abraham et al. 2022)."""

from __future__ import annotations

import ast
import importlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sparsecbm_core.concepts import CEBAB, UNKNOWN
from sparsecbm_core.data._cells import (
    EMPTY_LABEL,
    EMPTY_TEXT,
    NO_MAJORITY_LABEL,
    Choices,
    Row,
    Tally,
    normalise,
    read_text,
)
from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.errors import DataError, one_of

HUB_NAME = "CEBaB/CEBaB"
NO_MAJORITY = "no majority"

_LABELS = Choices(CEBAB.labels)
_STATES = Choices(CEBAB.states)
_ASPECTS = Choices(CEBAB.states, {"": UNKNOWN, NO_MAJORITY: UNKNOWN})
_CONCEPTS = Choices(CEBAB.concepts)
_UNSEEN = tuple(float(state == UNKNOWN) for state in CEBAB.states)  # nobody was asked


def load_cebab(folder: str | Path, split: str, label_votes: bool = False) -> ReviewDataset:
    """Read ``<folder>/<split>.json`` in the form CEBaB v1.1 is published in.

    A file is a JSON list of rows, or one JSON row a line. ``split`` is any file stem in the
    folder: train_exclusive (one text of each original review), train_inclusive (all of them),
    dev, test. Reviews without a majority label, without any label, or without text are dropped
    and counted in ``report.dropped``. An aspect without majority, or never annotated, is
    "unknown". ``group`` is the original review's id; ``edit_concept`` and ``edit_goal`` are set
    on human edits; ``votes`` (K × C) are the annotators' shares. With ``label_votes`` examples also hold
    the shares of their votes on the label, and reviews without a majority label are kept: they are
    `Example.undecided`, to learn from and not to measure on.

    Raises `DataError` if the split does not exist (the message lists those that do), if the
    file is damaged, or if a value cannot be mapped (naming file, row, column, value and the
    allowed values).

    >>> load_cebab("cebab", "dev").space.concepts
    ('food', 'ambiance', 'service', 'noise')
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; CEBaB's JSON files are expected in it")
    paths = {path.stem: path for path in sorted(folder.glob("*.json")) if not path.name.startswith(".")}
    if split not in paths:
        raise DataError(f"{folder}: {one_of(split, paths or ['(no .json file here)'], 'CEBaB split')}")
    path = paths[split]
    return _dataset(_read_json_rows(path), str(path), path, split, label_votes)


def load_cebab_hub(split: str, label_votes: bool = False) -> ReviewDataset:
    """Download a split of CEBaB/CEBaB with the ``datasets`` library; rows are read as in `load_cebab`.

    The hub calls the dev split "validation"; both names are accepted. Raises `DataError` if the
    library is not installed or the split cannot be loaded.
    """
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        raise DataError(
            "reading CEBaB from the Hugging Face hub needs the 'datasets' library: pip install datasets"
        ) from error
    hub_split = "validation" if split == "dev" else split
    source = f"{HUB_NAME}:{hub_split}"
    try:
        rows = list(datasets.load_dataset(HUB_NAME, split=hub_split))
    # The library raises errors of many unrelated families (network, cache, split names).
    except Exception as error:
        raise DataError(f"{source} could not be loaded: {type(error).__name__}: {error}") from error
    return _dataset(rows, source, source, split, label_votes)


def _dataset(
    rows: Iterable[Any], source: str, file: Path | str, split: str, label_votes: bool
) -> ReviewDataset:
    tally, examples = Tally(CEBAB), []
    for number, values in enumerate(rows, start=1):
        if not isinstance(values, Mapping):
            place = f"{source}, data row {number} (counted from 1)"
            raise DataError(f"{place}: an object expected, got {type(values).__name__}")
        example = _example(Row(source, number, values), tally, label_votes)
        if example is not None:
            examples.append(example)
    if not tally.read:
        raise DataError(f"{source}: holds no rows")
    return ReviewDataset("CEBaB", split, CEBAB, tuple(examples), tally.report([file]))


def _example(row: Row, tally: Tally, label_votes: bool) -> Example | None:
    """One row as an example; None, and a count in ``tally``, where it has to be dropped."""
    text = row.text("description")
    concepts = tuple(_aspect(row, concept) for concept in CEBAB.concepts)
    votes = tuple(
        _votes(row, f"{concept}_aspect_label_distribution", _STATES) or _UNSEEN for concept in CEBAB.concepts
    )
    edit_concept, edit_goal = _edit(row)
    group, identity = _identity(row, "original_id"), _identity(row, "id")
    label, reason = _label(row)
    shares = _votes(row, "review_label_distribution", _LABELS) if label_votes else None
    undecided = label is None and reason == NO_MAJORITY_LABEL and shares is not None
    if undecided and shares is not None:
        label = shares.index(max(shares))
    tally.count(concepts)
    if label is None or not text.strip():
        tally.dropped[reason or EMPTY_TEXT] += 1
        return None
    return Example(identity, text, label, concepts, group, edit_concept, edit_goal, votes, shares, undecided)


def _label(row: Row) -> tuple[int | None, str | None]:
    """Index of the star label, or None and the reason for dropping the row."""
    value = row.cell("review_majority")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, EMPTY_LABEL
    if isinstance(value, str):
        if normalise(value) == NO_MAJORITY:
            return None, NO_MAJORITY_LABEL
        label = _LABELS.find(value)
        if label is not None:
            return label, None
    raise row.not_allowed("review_majority", (*CEBAB.labels, NO_MAJORITY, ""))


def _aspect(row: Row, concept: str) -> int:
    column = f"{concept}_aspect_majority"
    state = _ASPECTS.find(row.text(column, optional=True))
    if state is None:
        raise row.not_allowed(column, _ASPECTS.allowed)
    return state


def _votes(row: Row, column: str, choices: Choices) -> tuple[float, ...] | None:
    """Shares of the annotators' votes in a column over its choices; None if nobody voted."""
    votes = row.cell(column)
    if isinstance(votes, str):
        votes = _parse_votes(row, column, votes) if votes.strip() else {}
    if not isinstance(votes, Mapping | None):
        raise row.problem(f"counts by state expected, got {type(votes).__name__}", column)
    counts = [0.0] * len(choices.names)
    for name, count in (votes or {}).items():
        chosen = choices.find(str(name))
        if chosen is None:
            raise row.not_allowed(column, choices.names, name)
        # The hub's table form fills states nobody chose with null.
        number = 0 if count is None else count
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < math.inf:
            raise row.problem(f"{count!r} votes for {name!r}; a count of 0 or more expected", column)
        counts[chosen] += number
    total = sum(counts)
    if not total:
        return None
    return tuple(count / total for count in counts)


def _parse_votes(row: Row, column: str, text: str) -> Any:
    """The hub stores the counts as text, in Python's spelling or JSON's."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    raise row.not_allowed(column, ("counts by state such as {'Positive': 3, 'unknown': 2}", ""))


def _edit(row: Row) -> tuple[str | None, str | None]:
    """Which concept a human edit changed, and to which state; (None, None) for an original."""
    original = row.cell("is_original")
    if isinstance(original, str):
        original = {"true": True, "false": False}.get(normalise(original), original)
    if not isinstance(original, bool):
        raise row.not_allowed("is_original", ("true", "false"))
    concept, goal = _optional(row, "edit_type", _CONCEPTS), _optional(row, "edit_goal", _STATES)
    return (None, None) if original else (concept, goal)


def _optional(row: Row, column: str, choices: Choices) -> str | None:
    value = row.text(column, optional=True)
    if normalise(value) in ("", "none"):
        return None
    found = choices.find(value)
    if found is None:
        raise row.not_allowed(column, (*choices.allowed, ""))
    return choices.names[found]


def _identity(row: Row, column: str) -> str:
    value = row.cell(column)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not row.text(column).strip():
        raise row.problem("empty; an id is needed", column)
    return str(value)


def _read_json_rows(path: Path) -> list[Any]:
    """Rows of a JSON list, or of a file with one JSON object a line."""
    text = read_text(path).strip()
    if not text:
        raise DataError(f"{path}: empty file; a JSON list of rows is expected")
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        if not text.startswith("{"):
            raise DataError(f"{path}: damaged or truncated JSON ({error})") from error
        return _read_json_lines(path, text)
    if isinstance(rows, dict) and "description" in rows:
        return [rows]
    if not isinstance(rows, list):
        raise DataError(f"{path}: a list of rows or one row a line expected, got one {type(rows).__name__}")
    return rows


def _read_json_lines(path: Path, text: str) -> list[Any]:
    rows = []
    # Not splitlines(): JSON allows U+2028 and its like inside a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: damaged or truncated JSON ({error})") from error
    return rows

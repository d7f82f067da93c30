"""Any CSV file with a text, a label and one column a concept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sparsecbm_core.concepts import DEFAULT_STATES, UNKNOWN, ConceptSpace, number_in
from sparsecbm_core.data._cells import EMPTY_LABEL, EMPTY_TEXT, Choices, Row, Tally, read_csv, require_columns
from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.errors import DataError, SettingsError


def load_csv(
    path: str | Path,
    text_column: str,
    label_column: str,
    concept_columns: Mapping[str, str] | Sequence[str],
    state_map: Mapping[str, str] | None = None,
    states: Sequence[str] = DEFAULT_STATES,
    labels: Sequence[str] | None = None,
    *,
    name: str | None = None,
    split: str = "all",
    group_column: str = "group",
    edit_column: str = "edit_concept",
    to_train: bool = False,
) -> ReviewDataset:
    """Read a comma-separated UTF-8 file with a header line.

    ``concept_columns`` lists the columns that hold concept states, or maps each to the concept's
    name. Cells hold one of ``states`` or a key of ``state_map`` (which maps spellings used in
    the file to states); case and stray spaces do not matter, and an empty cell is "unknown"
    where that is a state. ``labels`` are by default the distinct values of the kept rows, sorted
    (by value where all are numbers). Rows without label or text are dropped and counted. ``name``
    is by default the file's, without its ending; an example's id is its data row, from 1.

    Where the file has both, ``group_column`` joins a text and its edits, and ``edit_column`` names the
    concept that an edit changed. ``to_train`` keeps edits without a label, `Example.undecided` with no votes:
    to learn from, and not to measure on.

    Raises `DataError` for a file that cannot be read, for missing columns (the message lists
    those present) and for a value that cannot be mapped (naming file, row, column, value and
    the allowed values); `SettingsError` where the arguments contradict each other.

    >>> data = load_csv("reviews.csv", "review", "stars", ["food", "service"])
    >>> data.space.labels, data.examples[0].text
    (('1', '5'), 'The soup was cold.')
    """
    path = Path(path)
    columns = _concept_columns(concept_columns, (text_column, label_column))
    header, rows = read_csv(path)
    require_columns(path, header, (text_column, label_column, *columns))
    space = ConceptSpace(
        tuple(columns.values()),
        _names(states, "states"),
        _names(labels, "labels")
        if labels is not None
        else _labels_found(path, rows, text_column, label_column),
        {UNKNOWN: "Not mentioned"} if UNKNOWN in states else {},
    )
    state_choices = Choices(
        space.states, {**({"": UNKNOWN} if UNKNOWN in states else {}), **(state_map or {})}
    )
    label_choices = Choices(space.labels)

    tally, examples, has_edits = Tally(space), [], {group_column, edit_column} <= set(header)
    for row in rows:
        concepts = tuple(_find(row, column, state_choices) for column in columns)
        tally.count(concepts)
        text, label = row.values[text_column], row.values[label_column]
        group, edit = _edit(row, group_column, edit_column, space) if has_edits else (None, None)
        if not text.strip() or not (label.strip() or (edit and to_train)):
            tally.dropped[EMPTY_TEXT if label.strip() else EMPTY_LABEL] += 1
            continue
        open_label = not label.strip()
        examples.append(
            Example(
                str(row.number),
                text,
                0 if open_label else _find(row, label_column, label_choices),
                concepts,
                group,
                edit,
                label_votes=(0.0,) * space.num_labels if open_label else None,
                undecided=open_label,
            )
        )
    return ReviewDataset(name or path.stem, split, space, tuple(examples), tally.report([path]))


def load_labels(
    path: str | Path, text_column: str, label_column: str, labels: Sequence[str]
) -> tuple[list[str], list[int]]:
    """Texts and the indices of their labels, of a CSV file that need not know any concept.

    Rows without text or label are left out. Raises `DataError` as `load_csv` does, and where no row is left.

    >>> load_labels("reviews.csv", "review", "stars", ("1", "5"))[0][0]
    'The soup was cold.'
    """
    path = Path(path)
    header, rows = read_csv(path)
    require_columns(path, header, (text_column, label_column))
    choices = Choices(_names(labels, "labels"))
    kept = [row for row in rows if row.values[text_column].strip() and row.values[label_column].strip()]
    if not kept:
        raise DataError(f"{path} has no row with a text and a label")
    return [row.values[text_column] for row in kept], [_find(row, label_column, choices) for row in kept]


def _edit(
    row: Row, group_column: str, edit_column: str, space: ConceptSpace
) -> tuple[str | None, str | None]:
    """Which text a row is a version of, and which concept was edited in it."""
    group, edit = row.values[group_column].strip(), row.values[edit_column].strip()
    if edit and edit not in space.concepts:
        raise row.not_allowed(edit_column, ("", *space.concepts))
    if edit and not group:
        raise row.problem("empty; an edit belongs to the group of its text", group_column)
    return group or None, edit or None


def _names(names: Sequence[str], what: str) -> tuple[str, ...]:
    if isinstance(names, str):
        raise SettingsError(f"{what} must be a list of names, got the text {names!r}")
    return tuple(names)


def _concept_columns(columns: Mapping[str, str] | Sequence[str], others: tuple[str, ...]) -> dict[str, str]:
    """Column → concept name, in the order given."""
    listed = list(columns) if isinstance(columns, Mapping) else list(_names(columns, "concept_columns"))
    used = [*others, *listed]
    twice = sorted({column for column in used if used.count(column) > 1})
    if twice:
        raise SettingsError(f"each column can be used once; used more often: {', '.join(twice)}")
    return dict(columns) if isinstance(columns, Mapping) else {column: column for column in listed}


def _labels_found(path: Path, rows: Sequence[Row], text_column: str, label_column: str) -> tuple[str, ...]:
    found = {row.values[label_column].strip() for row in rows if row.values[text_column].strip()} - {""}
    if len(found) < 2:
        raise DataError(
            f"{path}, column {label_column!r}: two or more different labels needed, "
            f"found {', '.join(map(repr, found)) or 'none'}; pass labels= to name those not in this file"
        )
    numbers = {label: number_in(label) for label in found}
    if all(number is not None for number in numbers.values()):
        return tuple(sorted(found, key=lambda label: (numbers[label] or 0.0, label)))
    return tuple(sorted(found))


def _find(row: Row, column: str, choices: Choices) -> int:
    found = choices.find(row.values[column])
    if found is None:
        raise row.not_allowed(column, choices.allowed)
    return found

"""The guard reviews: labelled reviews that a correction should leave as they are."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sparsecbm_core.errors import DataError, InputError, SettingsError
from ui.resources.assets import ASSETS
from ui.resources.examples import Example, examples_for

if TYPE_CHECKING:
    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.data.types import ReviewDataset

FOLDER = ASSETS / "reviews"
FILES = "guard*.csv"
NAME, SPLIT, LABELS = "guard reviews", "guard", ("label", "stars")
BUNDLED, OWN = "guard", "own"  # before the numbers of reviews: an address names the bundled ones alone
LARGEST = 2_000  # reviews of a visitor's own: they are read again at every correction


def bundled(space: ConceptSpace) -> ReviewDataset | None:
    """The app's own guard reviews for a model; None where all of them speak of other things than it does."""
    files = sorted(FOLDER.glob(FILES))
    found = (_bundled(file, space.concepts, space.states, space.labels) for file in files)
    return next((reviews for reviews in found if reviews is not None), None)


def own(content: bytes, file: str, space: ConceptSpace) -> ReviewDataset:
    """A visitor's guard reviews from a CSV file; `DataError` or `InputError` says what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "guard.csv"
        path.write_bytes(content)
        try:
            reviews = _read(path, space, OWN)
        except DataError as error:
            raise DataError(str(error).replace(str(path), file)) from error
    if not len(reviews):
        raise InputError(f"{file} holds no labelled review; give at least one")
    if len(reviews) > LARGEST:
        raise InputError(f"{file} holds {len(reviews):,} reviews; up to {LARGEST:,} can be taken")
    return replace(reviews, name=file)


def examples(reviews: ReviewDataset) -> dict[str, Example]:
    """The reviews by the name that the address uses."""
    return {
        item.id: Example(item.id, f"Guard review {item.id.removeprefix(f'{BUNDLED}-')}", item.text)
        for item in reviews
    }


def known_texts(space: ConceptSpace) -> dict[str, Example]:
    """Every review that an address can name where this model is chosen: examples first, in their order."""
    on_guard = bundled(space)
    return {**examples_for(space.concepts), **({} if on_guard is None else examples(on_guard))}


@cache
def _bundled(
    file: Path, concepts: tuple[str, ...], states: tuple[str, ...], labels: tuple[str, ...]
) -> ReviewDataset | None:
    from sparsecbm_core.concepts import ConceptSpace

    try:
        return _read(file, ConceptSpace(concepts, states, labels))
    except (DataError, SettingsError):  # other columns, or a concept that is called as one of ours
        return None


def _read(path: Path, space: ConceptSpace, prefix: str = BUNDLED) -> ReviewDataset:
    from sparsecbm_core.data.table import load_csv

    columns = path.open(encoding="utf-8-sig", errors="replace").readline().lower().split(",")
    label = next(
        (name for name in LABELS if name in (column.strip().strip('"') for column in columns)), LABELS[0]
    )
    reviews = load_csv(
        path, "text", label, space.concepts, states=space.states, labels=space.labels, name=NAME, split=SPLIT
    )
    named = (replace(item, id=f"{prefix}-{int(item.id):03d}") for item in reviews)
    return replace(reviews, examples=tuple(named))

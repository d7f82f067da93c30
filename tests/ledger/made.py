"""Patches without a model behind them, and a process that keeps many."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.ledger import Ledger

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

MODEL = "0123456789abcdef"
CREATED = "2026-03-04T05:06:07+00:00"
GUARD = {"data": "toy dev", "reviews": 3, "concept": {"total": 3, "unchanged": 3}}


def patch(number: int = 0, **values: Any) -> Patch:
    """A patch of 200 flips, another for each number."""
    edit = MaskEdit({"food": {"layer.0": np.arange(100) * 7 + number, "layer.1": np.arange(100) + number}})
    return patch_of(edit, **values)


def patch_of(edit: MaskEdit, **values: Any) -> Patch:
    """A patch of an edit, as a correction of the first concept that this flips."""
    given = {
        "model": MODEL,
        "concept": edit.concepts[0] if edit.size else "food",
        "state_before": "Positive",
        "state": "Negative",
        "rule": "guarded",
        "r": 2e-5,
        "seed": 0,
        "dropped": edit.size // 2,
        "grown": edit.size - edit.size // 2,
        "created": CREATED,
    }
    return Patch(edit=edit, **{**given, **values})


def random_edit(model: ConceptModel, seed: int, flips: int = 40) -> MaskEdit:
    """A few random flips of one concept of a model."""
    rng, shapes = np.random.default_rng(seed), model.masks.shapes
    concept = model.space.concepts[seed % len(model.space.concepts)]
    names = sorted(shapes)[:2]
    return MaskEdit(
        {concept: {name: rng.choice(np.prod(shapes[name]), flips // 2, replace=False) for name in names}}
    )


def keep_many(place: str, first: int, count: int) -> None:
    """Adds patches one by one; says the number of each once it is kept."""
    ledger = Ledger.open(place)
    print("open", flush=True)
    for number in range(first, first + count):
        print(ledger.add(patch(number), note=f"number {number}").id, flush=True)


if __name__ == "__main__":
    keep_many(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

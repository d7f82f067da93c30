"""A model and its reviews, read once for all parts of a report that need it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import numpy as np

from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.common import check_count, groups_of
from sparsecbm_core.evaluate.trust.options import ReportOptions
from sparsecbm_core.models.concept_model import ConceptModel, Predictions
from sparsecbm_core.progress import OnCount, unheard


@dataclass
class Context:
    """What the parts are measured on. ``reference`` are other reviews, for typical activations, if any.

    ``chosen`` names the part of a split that ``data`` is, as settings: empty for the whole of it.
    """

    model: ConceptModel
    data: ReviewDataset
    options: ReportOptions
    reference: ReviewDataset | None = None
    chosen: dict[str, int] = field(default_factory=dict)
    # Not of a context made from this one by `replace`.
    _read: Predictions | None = field(default=None, init=False, repr=False)
    _reference_read: Predictions | None = field(default=None, init=False, repr=False)

    def predictions(self, on_progress: OnCount = unheard) -> Predictions:
        """The model's outputs on all of ``data``, made on first use."""
        if self._read is None:
            self._read = self.model.predict(self.data.texts, on_progress=on_progress)
        return self._read

    def reference_predictions(self, on_progress: OnCount = unheard) -> Predictions | None:
        if self._reference_read is None and self.reference is not None:
            self._reference_read = self.model.predict(self.reference.texts, on_progress=on_progress)
        return self._reference_read


def sample_groups(data: ReviewDataset, count: int | None, seed: int) -> ReviewDataset:
    """At least ``count`` reviews in whole groups by a seeded draw, in file order; None: all of them.

    Edits of one review stay together: their pairs are what causal effects are measured on.
    """
    if count is None:
        return data
    check_count("limit", count)
    names = groups_of(data)
    order = sorted(set(names))
    random.Random(seed).shuffle(order)
    sizes = dict.fromkeys(order, 0)
    for name in names:
        sizes[name] += 1
    taken, total = set(), 0
    for name in order:
        if total >= count:
            break
        taken.add(name)
        total += sizes[name]
    kept: list[Example] = [item for item, name in zip(data, names, strict=True) if name in taken]
    return replace(data, examples=tuple(kept))


def halves(data: ReviewDataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of two halves by a seeded draw; no edit of a review is in both.

    `InputError` where there is one group alone.
    """
    names = groups_of(data)
    order = sorted(set(names))
    if len(order) < 2:
        raise InputError(f"{data.name} {data.split} has a single group of reviews and cannot be halved")
    random.Random(seed).shuffle(order)
    first = set(order[: len(order) // 2])
    member = np.array([name in first for name in names])
    return np.flatnonzero(member), np.flatnonzero(~member)

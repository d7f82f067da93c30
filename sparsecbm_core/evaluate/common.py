"""What every measure says about where its numbers come from, and the checks that all of them make."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import DataError, InputError, SettingsError
from sparsecbm_core.models.concept_model import ConceptModel


def data_name(data: ReviewDataset) -> dict[str, str]:
    """The data set by name, split and fingerprint."""
    return {"name": data.name, "split": data.split, "fingerprint": data.fingerprint()}


def check_fits(model: ConceptModel, data: ReviewDataset) -> None:
    """`DataError` unless the data has reviews, with the model's concepts, states and labels."""
    space = model.space
    if (data.space.concepts, data.space.states, data.space.labels) != (
        space.concepts,
        space.states,
        space.labels,
    ):
        raise DataError(
            f"{data.name} {data.split} has concepts {list(data.space.concepts)}, states "
            f"{list(data.space.states)} and labels {list(data.space.labels)}; the model needs "
            f"{list(space.concepts)}, {list(space.states)} and {list(space.labels)}"
        )
    if not len(data):
        raise DataError(f"{data.name} {data.split} has no usable rows to evaluate on")


def check_labelled(texts: Sequence[str], labels: Sequence[int]) -> None:
    """`InputError` unless there are texts, with one label each."""
    if not texts or len(texts) != len(labels):
        raise InputError(f"{len(texts)} texts with {len(labels)} labels; one label a text is needed")


def sample(data: ReviewDataset, count: int | None, seed: int) -> ReviewDataset:
    """``count`` reviews by a seeded draw, in file order; all of them for None or where there are fewer."""
    if count is None:
        return data
    check_count("reviews", count)
    if count >= len(data):
        return data
    chosen = sorted(random.Random(seed).sample(range(len(data)), count))
    return replace(data, examples=tuple(data.examples[position] for position in chosen))


def check_count(name: str, value: int) -> None:
    """`SettingsError` unless ``value`` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingsError(f"{name} must be a whole number of at least 1, got {value!r}")


def groups_of(data: ReviewDataset) -> list[str]:
    """For each review the name of its group: edits of one original are not independent of each other."""
    return [
        f"review {position}" if example.group is None else f"group {example.group}"
        for position, example in enumerate(data)
    ]

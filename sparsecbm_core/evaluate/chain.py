"""Accuracy on guard reviews along a chain of corrections: what each further one costs or brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.in_force import corrected_model, firing
from sparsecbm_core.intervene.reading import read_part

if TYPE_CHECKING:
    from sparsecbm_core.intervene.guard import GuardBaseline
    from sparsecbm_core.intervene.patch import Patch

Read = Callable[["GuardBaseline", MaskEdit, str, Sequence[int]], torch.Tensor]
"""What `read_under` does; a caller may remember what it gave."""


@dataclass(frozen=True)
class ChainPoint:
    """Accuracies, as shares, after the first ``corrections`` of a chain.

    ``changed`` are the concepts that the last of them changed, none at the start. ``concept`` is the
    accuracy over all concepts, ``concepts`` that of each.
    """

    corrections: int
    changed: tuple[str, ...]
    concepts: Mapping[str, float]
    concept: float
    label: float

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "changed": list(self.changed), "concepts": dict(self.concepts)}


@dataclass(frozen=True)
class ChainAccuracy:
    """The points of a chain from no correction on, measured on ``reviews`` reviews of ``data``."""

    data: str
    reviews: int
    points: tuple[ChainPoint, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """The concepts that any correction changed, in the order of the model's concepts."""
        touched = {name for point in self.points for name in point.changed}
        return tuple(name for name in self.points[0].concepts if name in touched)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each point, as a table shows it."""
        return [
            {
                "corrections": point.corrections,
                "changed": ", ".join(point.changed),
                "label": point.label,
                "all_concepts": point.concept,
                **point.concepts,
            }
            for point in self.points
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "reviews": self.reviews,
            "points": [point.to_dict() for point in self.points],
        }


def reviews_of(baseline: GuardBaseline, patches: Sequence[Patch]) -> list[list[int] | None]:
    """For each patch the guard reviews, by position, that are read with it; None for all of them."""
    found: list[list[int] | None] = [None if patch.signature is None else [] for patch in patches]
    if all(members is None for members in found):
        return found
    for i, text in enumerate(baseline.reviews.texts):
        fired = set(map(id, firing(text, patches)))
        for patch, members in zip(patches, found, strict=True):
            if members is not None and id(patch) in fired:
                members.append(i)
    return found


def read_under(baseline: GuardBaseline, edit: MaskEdit, concept: str, reviews: Sequence[int]) -> torch.Tensor:
    """Readings (len(reviews), R) of one part of some guard reviews, under ``edit`` of the model."""
    if not edit.size:
        return baseline.readings[list(reviews), baseline.model.cbm.part_index(concept)]
    encoded = [baseline.encoded[i] for i in reviews]
    return read_part(corrected_model(baseline.model, edit), encoded, concept)


def chain_points(
    baseline: GuardBaseline,
    edits: Sequence[MaskEdit],
    active: Sequence[Sequence[int] | None] | None = None,
    read: Read = read_under,
) -> Iterator[ChainPoint]:
    """A point for the model of ``baseline``, then one after each edit, each made when it is asked for.

    ``active`` names for each edit the guard reviews that it is for (see `reviews_of`), None for all. Only
    what an edit can have changed is read again: its concepts, of its reviews. Raises `InputError` for an
    edit that does not fit the model.
    """
    if active is not None and len(active) != len(edits):
        raise InputError(f"{len(edits)} edits need as many lists of reviews, got {len(active)}")
    network, readings = baseline.model.cbm, baseline.readings.clone()  # (N, P, R)
    # Reviews under the same net edit are read together.
    groups: list[tuple[MaskEdit, list[int]]] = [(MaskEdit({}), list(range(len(baseline.reviews))))]
    yield _point(baseline, readings, 0, ())
    for place, edit in enumerate(edits):
        own_reviews = None if active is None else active[place]
        wanted = None if own_reviews is None else set(own_reviews)
        after: list[tuple[MaskEdit, list[int]]] = []
        for net, members in groups:
            inside = [i for i in members if wanted is None or i in wanted]
            outside = [i for i in members if wanted is not None and i not in wanted]
            if inside:
                new = net ^ edit
                for concept in edit.concepts:
                    own = MaskEdit({concept: new.flips.get(concept, {})})
                    readings[inside, network.part_index(concept)] = read(baseline, own, concept, inside)
                after.append((new, inside))
            if outside:
                after.append((net, outside))
        groups = after
        yield _point(baseline, readings, place + 1, edit.concepts)


def _point(
    baseline: GuardBaseline, readings: torch.Tensor, corrections: int, changed: tuple[str, ...]
) -> ChainPoint:
    model, reviews = baseline.model, baseline.reviews
    said = model.predictions(readings)
    right = said.states.numpy() == gold_states(reviews)  # (N, K)
    return ChainPoint(
        corrections=corrections,
        changed=changed,
        concepts=dict(zip(model.space.concepts, map(float, right.mean(axis=0)), strict=True)),
        concept=float(right.mean()),
        label=float((said.labels.numpy() == gold_labels(reviews)).mean()),
    )

"""The same reviews with fewer concepts: what a model sees that never learns the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.experiments.lab import Lab

if TYPE_CHECKING:
    from sparsecbm_core.concepts import ConceptSpace


def with_concepts(data: ReviewDataset, concepts: Sequence[str]) -> ReviewDataset:
    """The reviews with these concepts, in this order; texts and labels stay.

    Raises `InputError` for a concept that the data does not have, `SettingsError` for none or one twice.
    """
    kept = [data.space.concept_index(name) for name in concepts]
    space = replace(data.space, concepts=tuple(concepts))
    examples = tuple(
        replace(
            example,
            concepts=tuple(example.concepts[k] for k in kept),
            votes=None if example.votes is None else tuple(example.votes[k] for k in kept),
        )
        for example in data
    )
    return replace(data, space=space, examples=examples)


class SomeConcepts(Lab):
    """A lab whose reviews have only some of the concepts of another one's.

    Its runs lie in the same folder, named after what they saw: equal concepts, equal runs.
    """

    def __init__(self, whole: Lab, concepts: Sequence[str]) -> None:
        super().__init__(whole.dataset, whole.data, None, whole.runs, whole.device)
        self._whole, self._concepts = whole, tuple(concepts)

    def reviews(self, split: str, space: ConceptSpace | None = None) -> ReviewDataset:
        if split not in self._opened:
            self._opened[split] = with_concepts(self._whole.reviews(split, space), self._concepts)
        return self._opened[split]

    def opened(self) -> list[dict[str, Any]]:
        """Those of the whole lab: the same files."""
        return self._whole.opened()

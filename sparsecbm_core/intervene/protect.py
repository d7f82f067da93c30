"""What a correction must leave alone: earlier corrections, and labelled reviews near the boundary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from sparsecbm_core.errors import InputError, one_of

if TYPE_CHECKING:
    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.data.types import ReviewDataset

ANCHORS = 128  # reviews per concept: enough to hold the boundary, few enough to read while a person waits


@dataclass(frozen=True)
class Earlier:
    """A concept of a text that somebody said the state of."""

    text: str
    concept: str
    state: str


@dataclass(frozen=True)
class Protected:
    """Readings that a correction takes care of, by concept.

    ``earlier`` corrections must keep the state they were given. ``anchors`` are texts of each concept
    whose reading should move as little as possible. Both are of the corrected concept only: no other
    subnetwork changes.

    >>> held = Protected().and_earlier("The waiter was slow.", "service", "Negative")
    >>> held.earlier_of("service")[0].state, held.earlier_of("food")
    ('Negative', ())
    """

    earlier: tuple[Earlier, ...] = ()
    anchors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        earlier: Iterable[tuple[str, str, str]] = (),
        guard: ReviewDataset | None = None,
        concept_logits: torch.Tensor | None = None,
        limit: int = ANCHORS,
    ) -> Protected:
        """Corrections (text, concept, state) in their order, and of ``guard`` the ``limit`` reviews per
        concept that lie nearest to the boundary by a model's ``concept_logits`` (N, K, C) of them.

        Raises `InputError` where there are logits of other reviews, or none.
        """
        held = cls()
        if guard is not None:
            k, c = guard.space.num_concepts, guard.space.num_states
            shape = None if concept_logits is None else tuple(concept_logits.shape)
            if concept_logits is None or shape != (len(guard), k, c):
                raise InputError(f"concept logits of shape {(len(guard), k, c)} are needed, got {shape}")
            best, second = concept_logits.topk(2, dim=-1).values.unbind(-1)  # (N, K) each
            nearest = (best - second).argsort(dim=0, stable=True)[:limit]
            held = cls(
                anchors={
                    concept: tuple(guard.examples[i].text for i in nearest[:, index].tolist())
                    for index, concept in enumerate(guard.space.concepts)
                }
            )
        for text, concept, state in earlier:
            held = held.and_earlier(text, concept, state)
        return held

    def and_earlier(self, text: str, concept: str, state: str) -> Protected:
        """With one more correction; it replaces what was said of the same concept of the same text."""
        return replace(self, earlier=(*self.without(text, concept).earlier, Earlier(text, concept, state)))

    def without(self, text: str, concept: str) -> Protected:
        """Without what was said of this concept of this text, as when it is undone or corrected anew."""
        rest = [one for one in self.earlier if (one.text.strip(), one.concept) != (text.strip(), concept)]
        return replace(self, earlier=tuple(rest))

    def earlier_of(self, concept: str) -> tuple[Earlier, ...]:
        """The corrections of one concept."""
        return tuple(one for one in self.earlier if one.concept == concept)

    def check(self, space: ConceptSpace) -> None:
        """`InputError` for a concept, a state or a text that a model with this space cannot have."""
        for concept in self.anchors:
            if concept not in space.concepts:
                raise InputError(one_of(concept, space.concepts, "protected concept"))
        for one in self.earlier:
            if one.concept not in space.concepts:
                raise InputError(one_of(one.concept, space.concepts, "protected concept"))
            if one.state not in space.states:
                raise InputError(one_of(one.state, space.states, "protected state"))
            if not one.text.strip():
                raise InputError("a protected text is empty; give the review that was corrected")

"""What every rule starts from and ends in: one concept of one text, before and after."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.reading import read_concept
from sparsecbm_core.intervene.results import ALREADY, NOT_REACHED, REACHED, Intervention, Reading

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

MARGIN = 0.2  # by which the corrected state's logit leads the next one


@dataclass(frozen=True, eq=False)
class Case:
    """One concept of one text that is to be read as ``state``.

    ``k`` and ``target`` are the indices of concept and state, ``logits`` (K, C) the model's own.
    """

    model: ConceptModel
    text: str
    concept: str
    state: str
    k: int
    target: int
    logits: torch.Tensor
    before: Reading
    oracle: Reading
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, model: ConceptModel, text: str, concept: str, state: str) -> Case:
        """Raises `InputError` for an unknown concept or state, an empty text, a model without masks."""
        space = model.space
        k, target = space.concept_index(concept), space.state_index(state)
        if not isinstance(text, str) or not text.strip():
            raise InputError("the text is empty; give the review to correct")
        if model.masks is None:
            raise InputError("this model has no masks to correct; load a SparseCBM")
        said = all_logits(model, text)
        before, by_hand = reading(model, said, k), said.sigmoid()
        by_hand[k] = F.one_hot(torch.tensor(target), space.num_states)
        states = {name: float(i == target) for i, name in enumerate(space.states)}
        oracle = with_label(model, Reading(state, states, "", {}), by_hand)
        return cls(model, text, concept, state, k, target, said, before, oracle)

    @property
    def settled(self) -> bool:
        """Whether the model says so already."""
        return self.before.state == self.state

    def conclude(
        self,
        rule: str,
        corrected: ConceptModel,
        edit: MaskEdit,
        requested_r: float | str | None = None,
        r: float = 0.0,
        seed: int = 0,
        gradients: int = 0,
    ) -> Intervention:
        """The result, with the text read again by ``corrected``."""
        masks = self.model.masks
        if masks is None:
            raise InputError("this model has no masks to correct; load a SparseCBM")
        after = reading(corrected, self._read_again(corrected, edit), self.k)
        reached = REACHED if after.state == self.state else NOT_REACHED
        return Intervention(
            fingerprint=self.model.fingerprint,
            concept=self.concept,
            state=self.state,
            rule=rule,
            requested_r=requested_r,
            r=r,
            seed=seed,
            outcome=ALREADY if self.settled else reached,
            before=self.before,
            after=after,
            oracle=self.oracle,
            edit=edit,
            counts=tuple(edit.counts(masks)),
            total=masks.total,
            gradients=gradients,
            seconds=time.perf_counter() - self.started,
            corrected=corrected,
        )

    def _read_again(self, corrected: ConceptModel, edit: MaskEdit) -> torch.Tensor:
        """Logits (K, C) of the text; where only masks changed, the other concepts say what they said."""
        if corrected.network is not self.model.network:
            return all_logits(corrected, self.text)
        logits, encoded = self.logits.clone(), corrected.encode([self.text])
        for concept in edit.concepts:
            k = corrected.space.concept_index(concept)
            logits[k] = read_concept(corrected, encoded, concept)[0]
        return logits


def all_logits(model: ConceptModel, text: str) -> torch.Tensor:
    """Concept logits (K, C) of one text."""
    said = model.predict([text]).concept_logits
    if said is None:
        raise InputError("this is a standard classifier: it has no concepts to correct")
    return said[0]


def reading(model: ConceptModel, concept_logits: torch.Tensor, k: int) -> Reading:
    """Concept k and the label of one text from its concept logits (K, C)."""
    space, shares = model.space, concept_logits[k].softmax(-1)
    states: Mapping[str, float] = dict(zip(space.states, shares.tolist(), strict=True))
    said = Reading(space.states[int(shares.argmax())], states, "", {})
    return with_label(model, said, concept_logits.sigmoid())


def with_label(model: ConceptModel, said: Reading, activations: torch.Tensor) -> Reading:
    """The reading with the label that follows from activations (K, C)."""
    with torch.inference_mode():
        logits = model.cbm.label_logits(activations[None].to(model.device))[0]
    shares = dict(zip(model.space.labels, logits.softmax(-1).tolist(), strict=True))
    return replace(said, label=model.space.labels[int(logits.argmax())], labels=shares)


def lead(logits: torch.Tensor, target: int) -> float:
    """How far state ``target`` leads the best other one: (C,) logits → float."""
    others = logits.clone()
    others[target] = -torch.inf
    return float(logits[target] - others.max())

"""A model under corrections of which some hold for similar reviews alone: what it is for a given text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from sparsecbm_core.intervene.edits import MaskEdit, net_edit
from sparsecbm_core.intervene.scope import THRESHOLD, Signature

if TYPE_CHECKING:
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.models.concept_model import ConceptModel, Predictions


def fires(patch: Patch, text: str) -> bool:
    """Whether ``text`` is read with this correction: always, or where it is close to the corrected review."""
    return bool(_places(text, [patch]))


def firing(text: str, patches: Sequence[Patch]) -> tuple[Patch, ...]:
    """Those of ``patches``, in their order, that fire for ``text``."""
    return tuple(patches[place] for place in _places(text, patches))


def edits_for(text: str, patches: Sequence[Patch]) -> MaskEdit:
    """Net edit of the patches that fire for ``text``; empty where none does."""
    return net_edit(patch.edit for patch in firing(text, patches))


def groups(texts: Sequence[str], patches: Sequence[Patch]) -> dict[MaskEdit, list[int]]:
    """Texts (by index) that are read under the same masks, by the net edit that makes these."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for index, text in enumerate(texts):
        alike.setdefault(_places(text, patches), []).append(index)
    found: dict[MaskEdit, list[int]] = {}
    for places, indices in alike.items():
        found.setdefault(net_edit(patches[place].edit for place in places), []).extend(indices)
    return {edit: sorted(indices) for edit, indices in found.items()}


def predict_scoped(model: ConceptModel, texts: Sequence[str], patches: Sequence[Patch]) -> Predictions:
    """Concepts and labels of ``texts`` by the pristine ``model``, each under the patches that fire for it."""
    from sparsecbm_core.intervene.correct import corrected_model
    from sparsecbm_core.models.concept_model import Predictions

    if not texts or not patches:
        return model.predict(texts)
    space = model.space
    concepts = torch.empty(len(texts), space.num_concepts, space.num_states)
    labels = torch.empty(len(texts), space.num_labels)
    for edit, indices in groups(texts, patches).items():
        said = corrected_model(model, edit).predict([texts[i] for i in indices])
        labels[indices] = said.label_logits
        if said.concept_logits is not None:
            concepts[indices] = said.concept_logits
    return Predictions(concepts, concepts.sigmoid(), labels)


def _places(text: str, patches: Sequence[Patch]) -> tuple[int, ...]:
    """Of the patches that fire for ``text``."""
    own = _signature(text) if any(patch.signature for patch in patches) else None
    return tuple(
        place
        for place, patch in enumerate(patches)
        if patch.signature is None or own is None or patch.signature.similarity(own) >= THRESHOLD
    )


@lru_cache(maxsize=64)
def _signature(text: str) -> Signature:
    """A page asks for that of its one review again and again, and a long one takes seconds."""
    return Signature.of(text)

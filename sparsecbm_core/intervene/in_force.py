"""A model with corrections in force: all of them, or for each text those that fire for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.edits import MaskEdit, net_edit
from sparsecbm_core.intervene.scope import THRESHOLD, Signature
from sparsecbm_core.intervene.subnetwork import Subnetwork
from sparsecbm_core.models.concept_model import ConceptModel, Predictions

if TYPE_CHECKING:
    from sparsecbm_core.intervene.patch import Patch


def corrected_model(
    model: ConceptModel,
    edit: MaskEdit,
    matrices: Mapping[str, Mapping[str, torch.Tensor]] | None = None,
) -> ConceptModel:
    """The model under edited masks; network, tokenizer and untouched weights are shared with it.

    ``matrices`` gives effective weights (O, I) of changed concepts where they are known already.
    """
    if model.masks is None:
        raise InputError("this model has no masks to edit; load a SparseCBM")
    if not edit.size:
        return model
    corrected, weights = replace(model, masks=edit.apply(model.masks)), model.weights
    if weights is not None:
        for concept in edit.concepts:
            known = (matrices or {}).get(concept) or Subnetwork(corrected, concept).matrices()
            weights = weights.with_concept(concept, known)
        # What the cached property would make, at a Kth of its cost.
        corrected.__dict__["weights"] = weights
    return corrected


def firing(text: str, patches: Sequence[Patch]) -> tuple[Patch, ...]:
    """Those of ``patches``, in their order, that ``text`` is read with: they hold everywhere, or it is close
    to the review that they corrected."""
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
    if not texts or not patches:
        return model.predict(texts)
    readings = torch.empty(len(texts), *model.cbm.readout[1].shape)
    for edit, indices in groups(texts, patches).items():
        said = corrected_model(model, edit).predict([texts[i] for i in indices]).readings
        if said is not None:
            readings[indices] = said
    return model.predictions(readings)


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

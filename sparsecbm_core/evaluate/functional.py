"""Whether a concept's subnetwork is its own by what it does: swapped, and taken away."""

from __future__ import annotations

import numpy as np

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.evaluate.classification import gold_states
from sparsecbm_core.evaluate.common import check_fits, sample
from sparsecbm_core.evaluate.trust.results import Subnetworks
from sparsecbm_core.explain.swapped import cross_accuracy
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.progress import OnCount, unheard

REVIEWS = 400


def functional_tests(
    model: ConceptModel,
    data: ReviewDataset,
    reviews: int | None = REVIEWS,
    seed: int = 0,
    on_progress: OnCount = unheard,
) -> Subnetworks:
    """What each subnetwork can and cannot do, on a seeded draw of ``reviews`` (None: all).

    Swapped: every concept through every subnetwork. Removed: the weights that concept k keeps are taken out
    of all subnetworks (M_j ∧ ¬M_k), which should hurt k and not j. The model is not changed.

    Raises `InputError` for a dense model, `DataError` for data that is empty or for another model.
    """
    check_fits(model, data)
    masks, concepts, test = model.masks, model.space.concepts, sample(data, reviews, seed)
    if masks is None:
        raise InputError("a dense model has one encoder for all concepts: there are no masks to test")
    passes, done = 1 + len(concepts), 0

    def on_read(now: int, whole: int) -> None:
        nonlocal done
        on_progress(done + now, passes * whole)
        done += whole if now == whole else 0

    swapped = cross_accuracy(model, test, on_progress=on_read).accuracy
    gold, removed = gold_states(test), []
    for concept in concepts:
        weights = model.cbm.weights_for(without(masks, concept))
        states = model.predict(test.texts, weights=weights, on_progress=on_read).states.numpy()
        removed.append(tuple((states == gold).mean(0).tolist()))
    return Subnetworks(
        concepts,
        swapped,
        majority=tuple(float(np.bincount(column).max() / len(gold)) for column in gold.T),
        removed=tuple(removed),
        lost=tuple(tuple(_lost(masks, k, j) for j in concepts) for k in concepts),
    )


def without(masks: MaskSet, concept: str) -> MaskSet:
    """Every mask without the weights that ``concept`` keeps, M_j ∧ ¬M_k; nothing is left of its own."""
    if concept not in masks.concepts:
        raise InputError(one_of(concept, masks.concepts, "concept"))
    k = masks.concepts.index(concept)
    return MaskSet(masks.concepts, masks.shapes, {name: b & ~b[k] for name, b in masks.packed.items()})


def _lost(masks: MaskSet, removed: str, read: str) -> float:
    own = sum(masks.kept()[read].values())
    if removed == read:
        return 1.0
    return masks.overlap(removed, read)[0] / own if own else 0.0

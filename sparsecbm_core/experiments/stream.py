"""Reviews that come one after the other and are corrected where the model reads them wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.concept_values import labels_with
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.progress import OnWork, unheard

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.models.concept_model import ConceptModel


@dataclass(frozen=True)
class Stream:
    """What came of it: accuracies right after each review's own corrections, the model as it is then.

    ``corrections`` were made, of which ``reached`` reached their state; ``drift`` counts the bits that differ
    from the pristine masks.
    """

    model: ConceptModel
    at_once: Mapping[str, float | None]
    corrections: int
    reached: int
    drift: int


def correct_stream(
    model: ConceptModel,
    reviews: ReviewDataset,
    rule: str,
    r: float,
    profile: GuardProfile | None,
    seed: int = 0,
    report: OnWork = unheard,
) -> Stream:
    """Read each review, correct every concept that is read wrong to its gold state, and go on from there."""
    if model.masks is None:
        raise InputError("this model has no masks to correct; load a SparseCBM")
    space, current = model.space, model
    concepts_right = labels_right = corrections = reached = 0
    for number, example in enumerate(reviews):
        said = current.predict([example.text])
        wrong = [k for k, state in enumerate(said.states[0].tolist()) if state != example.concepts[k]]
        for k in wrong:
            concept, state = space.concepts[k], space.states[example.concepts[k]]
            done = intervene(current, example.text, concept, state, rule, r, profile, seed + corrections)
            corrections += 1
            reached += done.again
            current = done.corrected
        if wrong:
            said = current.predict([example.text])
        concepts_right += sum(
            state == gold for state, gold in zip(said.states[0].tolist(), example.concepts, strict=True)
        )
        labels_right += int(said.labels[0]) == example.label
        report(number + 1, len(reviews), f"{corrections} corrections")
    at_once = {
        "concept": concepts_right / (len(reviews) * space.num_concepts),
        "label": labels_right / len(reviews),
    }
    drift = 0 if current.masks is None else MaskEdit.between(model.masks, current.masks).size
    return Stream(current, at_once, corrections, reached, drift)


def read_accuracy(model: ConceptModel, reviews: ReviewDataset) -> dict[str, float | None]:
    """Concept and label accuracy; no concepts for a standard classifier."""
    said = model.predict(reviews.texts)
    concept = None
    if said.concept_logits is not None:
        concept = float((said.states.numpy() == gold_states(reviews)).mean())
    return {"concept": concept, "label": float((said.labels.numpy() == gold_labels(reviews)).mean())}


def oracle_label_accuracy(model: ConceptModel, reviews: ReviewDataset) -> float:
    """Label accuracy with the activations of every wrong concept set to its gold state (Koh et al. 2020)."""
    said = model.predict(reviews.texts)
    if said.readings is None:
        raise InputError("a standard classifier has no concepts to set")
    gold = torch.from_numpy(gold_states(reviews))  # (N, K)
    labels = labels_with(model, said.readings, gold, said.states != gold).numpy()
    return float((labels == gold_labels(reviews)).mean())

"""Everything `evaluate` reports for one model and one split."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.evaluate.calibration import reliability
from sparsecbm_core.evaluate.classification import accuracy_and_f1, gold_labels, gold_states
from sparsecbm_core.evaluate.common import check_fits, data_name
from sparsecbm_core.evaluate.labels import unfamiliar_share
from sparsecbm_core.evaluate.leakage import head_accuracy
from sparsecbm_core.evaluate.pathway import measure_pathway
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet, chance_jaccard
from sparsecbm_core.progress import OnCount, unheard

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Evaluation:
    """What one model scores on one split, as fractions; None where it has no such part.

    ``data`` names what it was measured on (name, split, fingerprint), ``model`` is the fingerprint
    of what was measured. ``paper_f1`` is only for comparison with published figures. ``leakage``:
    label accuracy from gold states, from predicted ones, and from the activations. ``pathway`` are the
    figures of `evaluate.pathway`, where labels are ordered. ``unfamiliar`` is the share of reviews that the
    model takes for something else than it was trained on.
    """

    data: Mapping[str, str]
    model: str
    concept_accuracy: float | None
    concept_macro_f1: float | None
    per_concept: Mapping[str, Mapping[str, float]] | None
    task_accuracy: float
    task_macro_f1: float
    paper_f1: Mapping[str, float | None]
    leakage: Mapping[str, float | None] | None
    ece: float
    sparsity: Mapping[str, float] | None
    prunable_weights: int | None
    jaccard: Mapping[str, Any] | None
    examples: int
    seconds: float
    pathway: Mapping[str, Any] | None = None
    unfamiliar: float | None = None
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def evaluate_model(
    model: ConceptModel,
    data: ReviewDataset,
    batch_size: int = 32,
    on_progress: OnCount = unheard,
) -> Evaluation:
    """Concept and task metrics, leakage, calibration, sparsity and overlap.

    >>> evaluate_model(model, reviews).examples
    8
    """
    space = model.space
    check_fits(model, data)
    started = time.perf_counter()
    predictions = model.predict(data.texts, batch_size, on_progress=on_progress)
    gold, labels, predicted = gold_states(data), gold_labels(data), predictions.labels.numpy()
    states = None if predictions.concept_logits is None else predictions.states.numpy()
    found = accuracy_and_f1(space, data, states, predicted)
    pathway = measure_pathway(model, data, predictions)
    return Evaluation(
        data=data_name(data),
        model=model.fingerprint,
        **found,
        leakage=None if states is None else _leakage(model, gold, states, labels, found["task_accuracy"]),
        ece=reliability(predictions.label_logits, labels).ece,
        sparsity=None if model.masks is None else model.masks.sparsity(),
        prunable_weights=None if states is None else model.cbm.prunable_weights,
        jaccard=None if model.masks is None else overlap_report(model.masks),
        examples=len(data),
        seconds=round(time.perf_counter() - started, 3),
        pathway=None if pathway is None else pathway.to_dict(),
        unfamiliar=unfamiliar_share(model, data.texts),
    )


def _leakage(
    model: ConceptModel, gold: np.ndarray, states: np.ndarray, labels: np.ndarray, soft: float
) -> dict[str, float | None]:
    read = {"gold": gold, "hard": states}
    if model.head is None:
        return {**dict.fromkeys(read), "soft": soft}
    size = model.space.num_states
    return {
        **{name: head_accuracy(model.head, values, labels, size) for name, values in read.items()},
        "soft": soft,
    }


def overlap_report(masks: MaskSet) -> dict[str, Any] | None:
    """Pairwise Jaccard, its mean, and what random masks of the same densities would give."""
    pairs = masks.jaccard()
    if not pairs:
        return None
    density = {name: 1.0 - value for name, value in masks.sparsity().items()}
    return {
        "mean": float(np.mean(list(pairs.values()))),
        "chance": float(np.mean([chance_jaccard(density[a], density[b]) for a, b in pairs])),
        "pairs": {f"{a}|{b}": value for (a, b), value in pairs.items()},
    }

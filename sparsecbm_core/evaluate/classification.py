"""Accuracy and F1 of concepts and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.models.concept_model import Predictions


def gold_labels(data: ReviewDataset) -> np.ndarray:
    """Label indices (N,)."""
    return np.array([example.label for example in data])


def gold_states(data: ReviewDataset) -> np.ndarray:
    """State indices (N, K)."""
    return np.array([example.concepts for example in data])


def accuracies(predictions: Predictions, data: ReviewDataset) -> dict[str, float]:
    """Task and mean concept accuracy, and ``score``, their mean (task alone without concepts)."""
    task = float((predictions.labels.numpy() == gold_labels(data)).mean())
    if predictions.concept_logits is None:
        return {"task_accuracy": task, "score": task}
    concept = float((predictions.states.numpy() == gold_states(data)).mean())
    return {"concept_accuracy": concept, "task_accuracy": task, "score": (concept + task) / 2}


def accuracy_and_f1(
    space: ConceptSpace, data: ReviewDataset, states: np.ndarray | None, labels: np.ndarray
) -> dict[str, Any]:
    """How right states (N, K), None without concepts, and labels (N,) are, as fields of an evaluation."""
    gold, stars = gold_states(data), gold_labels(data)
    columns = [] if states is None else list(zip(gold.T, states.T, strict=True))  # K pairs of (N,)
    per_concept = {
        name: {"accuracy": float((right == given).mean()), "macro_f1": macro_f1(right, given)}
        for name, (right, given) in zip(space.concepts if columns else (), columns, strict=True)
    }
    return {
        "concept_accuracy": _mean([values["accuracy"] for values in per_concept.values()]),
        "concept_macro_f1": _mean([values["macro_f1"] for values in per_concept.values()]),
        "per_concept": per_concept or None,
        "task_accuracy": float((stars == labels).mean()),
        "task_macro_f1": macro_f1(stars, labels),
        "paper_f1": {
            "concept": _mean([paper_f1(right, given, space.num_states) for right, given in columns]),
            "task": paper_f1(stars, labels, space.num_labels),
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def macro_f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    """scikit-learn's macro-F1 over the classes that occur in gold or prediction."""
    return float(f1_score(gold, predicted, average="macro", zero_division=0))


def paper_f1(gold: np.ndarray, predicted: np.ndarray, num_classes: int) -> float:
    """Mean over classes of the *binary* macro-F1 one-vs-rest, as the paper's F1 is computed.

    Inflated, since the "rest" class is easy; only for comparison with published figures.
    """
    return float(np.mean([macro_f1(gold == label, predicted == label) for label in range(num_classes)]))

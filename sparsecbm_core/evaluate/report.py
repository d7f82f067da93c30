"""Everything `evaluate` reports for one model and one split."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import DataError
from sparsecbm_core.evaluate.classification import (
    expected_calibration_error,
    gold_labels,
    gold_states,
    macro_f1,
    paper_f1,
)
from sparsecbm_core.evaluate.leakage import head_accuracy
from sparsecbm_core.models.concept_model import ConceptModel, Predictions
from sparsecbm_core.models.masks import MaskSet, chance_jaccard


def evaluate_model(
    model: ConceptModel,
    data: ReviewDataset,
    batch_size: int = 32,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Concept and task metrics, leakage, calibration, sparsity and overlap, as fractions.

    Keys that need a concept bottleneck (or masks) are None without one.
    """
    if (data.space.concepts, data.space.states, data.space.labels) != (
        model.space.concepts,
        model.space.states,
        model.space.labels,
    ):
        raise DataError(
            f"{data.name} {data.split} has concepts {list(data.space.concepts)}, states "
            f"{list(data.space.states)} and labels {list(data.space.labels)}; the model needs "
            f"{list(model.space.concepts)}, {list(model.space.states)} and {list(model.space.labels)}"
        )
    if not len(data):
        raise DataError(f"{data.name} {data.split} has no usable rows to evaluate on")
    started = time.perf_counter()
    predictions = model.predict(data.texts, batch_size, on_progress=on_progress)
    labels, predicted = gold_labels(data), predictions.labels.numpy()
    report: dict[str, Any] = {
        "concept_accuracy": None,
        "concept_macro_f1": None,
        "per_concept": None,
        "task_accuracy": float((predicted == labels).mean()),
        "task_macro_f1": macro_f1(labels, predicted),
        "paper_f1": {"concept": None, "task": paper_f1(labels, predicted, model.space.num_labels)},
        "leakage": None,
        "ece": expected_calibration_error(predictions.label_logits, labels),
        "sparsity": None,
        "prunable_weights": None,
        "jaccard": None,
    }
    if predictions.concept_logits is not None:
        report |= _concepts(model, data, predictions, report)
        report["prunable_weights"] = model.cbm.prunable_weights
    if model.masks is not None:
        report["sparsity"] = model.masks.sparsity()
        report["jaccard"] = overlap_report(model.masks)
    report["examples"] = len(data)
    report["seconds"] = round(time.perf_counter() - started, 3)
    return report


def _concepts(
    model: ConceptModel, data: ReviewDataset, predictions: Predictions, report: dict[str, Any]
) -> dict[str, Any]:
    gold, states, space = gold_states(data), predictions.states.numpy(), model.space
    per_concept = {
        name: {
            "accuracy": float((gold[:, k] == states[:, k]).mean()),
            "macro_f1": macro_f1(gold[:, k], states[:, k]),
        }
        for k, name in enumerate(space.concepts)
    }
    f1 = [paper_f1(gold[:, k], states[:, k], space.num_states) for k in range(space.num_concepts)]
    leakage = {"gold": None, "hard": None, "soft": report["task_accuracy"]}
    if model.head is not None:
        labels = gold_labels(data)
        leakage["gold"] = head_accuracy(model.head, gold, labels, space.num_states)
        leakage["hard"] = head_accuracy(model.head, states, labels, space.num_states)
    return {
        "concept_accuracy": float(np.mean([item["accuracy"] for item in per_concept.values()])),
        "concept_macro_f1": float(np.mean([item["macro_f1"] for item in per_concept.values()])),
        "per_concept": per_concept,
        "paper_f1": {"concept": float(np.mean(f1)), "task": report["paper_f1"]["task"]},
        "leakage": leakage,
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

"""Answers measured as every other model is, with the unparseable ones among the wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import f1_score

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.evaluate.classification import gold_labels, gold_states, macro_f1, paper_f1
from sparsecbm_core.prompted.parse import Parsed


@dataclass(frozen=True)
class Scores:
    """Fractions, named as in `sparsecbm_core.evaluate.report.Evaluation`.

    An unparseable answer is wrong for every concept and the label. In macro-F1 it is a class of its own that
    is never gold, so that its F1 of 0 enters the mean as soon as there is one such answer. ``gold_class_f1``
    leaves that class out of the mean (the answer still costs recall): one bad answer in a thousand then moves
    it by a thousandth. The paper's F1 is the mean over the real classes in any case.
    """

    concept_accuracy: float
    concept_macro_f1: float
    per_concept: Mapping[str, Mapping[str, float]]
    task_accuracy: float
    task_macro_f1: float
    paper_f1: Mapping[str, float]
    gold_class_f1: Mapping[str, float]


def score(answers: Sequence[Parsed], data: ReviewDataset) -> Scores:
    """Scores of an answer to every review, in the order of ``data``."""
    space = data.space
    unread = Parsed((space.num_states,) * space.num_concepts, space.num_labels)  # one past the last ones
    read = [unread if answer.states is None else answer for answer in answers]
    states, labels = np.array([item.states for item in read]), np.array([item.label for item in read])
    gold, stars = gold_states(data), gold_labels(data)
    columns = list(zip(gold.T, states.T, strict=True))  # K pairs of (N,)
    per_concept = {
        name: {"accuracy": float((right == given).mean()), "macro_f1": macro_f1(right, given)}
        for name, (right, given) in zip(space.concepts, columns, strict=True)
    }
    return Scores(
        concept_accuracy=_mean([values["accuracy"] for values in per_concept.values()]),
        concept_macro_f1=_mean([values["macro_f1"] for values in per_concept.values()]),
        per_concept=per_concept,
        task_accuracy=float((stars == labels).mean()),
        task_macro_f1=macro_f1(stars, labels),
        paper_f1={
            "concept": _mean([paper_f1(right, given, space.num_states) for right, given in columns]),
            "task": paper_f1(stars, labels, space.num_labels),
        },
        gold_class_f1={
            "concept": _mean([_real_f1(right, given, space.num_states) for right, given in columns]),
            "task": _real_f1(stars, labels, space.num_labels),
        },
    )


def _real_f1(gold: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """`macro_f1` over the classes below ``classes`` that occur in gold or prediction."""
    occurring = np.union1d(gold, predicted)
    real = occurring[occurring < classes]
    return float(f1_score(gold, predicted, labels=real, average="macro", zero_division=0))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))

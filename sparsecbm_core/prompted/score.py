"""Answers measured as every other model is, with the unparseable ones among the wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.evaluate.classification import accuracy_and_f1, gold_labels, gold_states
from sparsecbm_core.prompted.parse import Parsed


def score(answers: Sequence[Parsed], data: ReviewDataset) -> dict[str, Any]:
    """What an answer to every review scores, in the order of ``data``, as fields of an evaluation.

    An unparseable answer is wrong for every concept and the label. In macro-F1 it is a class of its own that
    is never gold, so that its F1 of 0 enters the mean as soon as there is one such answer. "gold_class_f1"
    leaves that class out of the mean (the answer still costs recall): one bad answer in a thousand then moves
    it by a thousandth. The paper's F1 is the mean over the real classes in any case.
    """
    space = data.space
    unread = Parsed((space.num_states,) * space.num_concepts, space.num_labels)  # one past the last ones
    read = [unread if answer.states is None else answer for answer in answers]
    states, labels = np.array([item.states for item in read]), np.array([item.label for item in read])
    columns = zip(gold_states(data).T, states.T, strict=True)  # K pairs of (N,)
    real = {
        "concept": float(np.mean([_real_f1(gold, given, space.num_states) for gold, given in columns])),
        "task": _real_f1(gold_labels(data), labels, space.num_labels),
    }
    return {**accuracy_and_f1(space, data, states, labels), "gold_class_f1": real}


def _real_f1(gold: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """`macro_f1` over the classes below ``classes`` that occur in gold or prediction."""
    occurring = np.union1d(gold, predicted)
    real = occurring[occurring < classes]
    return float(f1_score(gold, predicted, labels=real, average="macro", zero_division=0))

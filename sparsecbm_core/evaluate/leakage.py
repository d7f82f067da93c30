"""How much of the label the concept *states* carry, and how much leaks through their shades."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.evaluate.classification import gold_labels, gold_states


def one_hot_states(states: np.ndarray, num_states: int) -> np.ndarray:
    """(N, K) indices → (N, K·C) zeros and ones."""
    return np.eye(num_states)[states].reshape(len(states), -1)


def fit_concept_head(train: ReviewDataset) -> tuple[torch.Tensor, torch.Tensor]:
    """Logistic regression from gold concept states to the label: weights (Y, K·C), intercepts (Y,).

    The reference that gold and hard concepts are read with: what concept states alone say about
    the label, with nothing of the text left.
    """
    space, gold = train.space, gold_labels(train)
    features = one_hot_states(gold_states(train), space.num_states)
    weights = np.zeros((space.num_labels, features.shape[1]))
    bias = np.full(space.num_labels, -1e3)  # a label that never occurs is never predicted
    present = np.unique(gold)
    if len(present) == 1:
        bias[present[0]] = 0.0
    else:
        fitted = LogisticRegression(max_iter=2000).fit(features, gold)
        if len(present) == 2:  # scikit-learn keeps one row for two classes
            weights[present[1]], bias[present[0]], bias[present[1]] = (
                fitted.coef_[0],
                0.0,
                fitted.intercept_[0],
            )
        else:
            weights[present], bias[present] = fitted.coef_, fitted.intercept_
    return torch.tensor(weights, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)


def head_accuracy(
    head: tuple[torch.Tensor, torch.Tensor], states: np.ndarray, gold: np.ndarray, num_states: int
) -> float:
    """Task accuracy of the reference head on these concept states (N, K)."""
    return float((head_labels(head, states, num_states) == gold).mean())


def head_labels(head: tuple[torch.Tensor, torch.Tensor], states: np.ndarray, num_states: int) -> np.ndarray:
    """Labels (N,) that the reference head reads from concept states (N, K)."""
    weights, bias = (tensor.numpy() for tensor in head)
    labels: np.ndarray = (one_hot_states(states, num_states) @ weights.T + bias).argmax(-1)
    return labels

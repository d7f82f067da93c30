"""The reference head: what concept states alone say about the label."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.leakage import fit_concept_head, head_accuracy, one_hot_states
from tests.tiny import SPACE
from tests.toy import dataset, make_example, toy_reviews

EVERY_STATE = np.array([(a, b, c) for a in range(3) for b in range(3) for c in range(3)])


def predict(head, states):
    weights, bias = (tensor.numpy() for tensor in head)
    return (one_hot_states(states, 3) @ weights.T + bias).argmax(-1)


def by_food(*labels):
    """Reviews whose label follows from the state of food alone."""
    examples = [make_example(i, (i % 3, i // 3 % 3, i // 9 % 3), labels[i % 3]) for i in range(54)]
    return dataset(examples, "train")


def test_one_hot_by_hand():
    assert one_hot_states(np.array([[0, 2], [1, 1]]), 3).tolist() == [[1, 0, 0, 0, 0, 1], [0, 1, 0, 0, 1, 0]]


@pytest.mark.parametrize(
    "labels", [(0, 1, 2), (3, 2, 0), (1, 1, 3), (0, 3, 3), (2, 2, 2), (0, 0, 0), (3, 3, 3)]
)
def test_labels_that_follow_from_the_states_are_found(labels):
    """All three, two (where scikit-learn keeps one row), or one label; those absent are never predicted."""
    head = fit_concept_head(by_food(*labels))
    assert head[0].shape == (4, 9)
    assert head[1].shape == (4,)
    assert head[0].dtype == head[1].dtype == torch.float32
    expected = np.array(labels)[EVERY_STATE[:, 0]]
    np.testing.assert_array_equal(predict(head, EVERY_STATE), expected)
    assert head_accuracy(head, EVERY_STATE, expected, 3) == 1.0


@pytest.mark.parametrize("count", [40, 200])
def test_agrees_with_scikit_learn_where_states_do_not_decide(count):
    data = toy_reviews(count)
    rng = np.random.default_rng(0)
    noisy = dataset([make_example(e.id, e.concepts, int(rng.integers(4))) for e in data], "train")
    fitted = LogisticRegression(max_iter=2000).fit(one_hot_states(gold_states(noisy), 3), gold_labels(noisy))
    expected = fitted.predict(one_hot_states(EVERY_STATE, 3))
    np.testing.assert_array_equal(predict(fit_concept_head(noisy), EVERY_STATE), expected)


def test_states_that_say_nothing_give_the_most_frequent_label():
    data = dataset([make_example(i, (i % 3, 2, 2), 1 if i % 5 else 0) for i in range(60)], "train")
    head = fit_concept_head(data)
    assert set(predict(head, EVERY_STATE)) == {1}
    assert head_accuracy(head, gold_states(data), gold_labels(data), SPACE.num_states) == pytest.approx(0.8)

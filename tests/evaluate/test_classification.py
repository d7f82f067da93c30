"""Accuracy and F1 on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsecbm_core.evaluate.classification import (
    accuracies,
    gold_labels,
    gold_states,
    macro_f1,
    paper_f1,
)
from sparsecbm_core.models.concept_model import Predictions
from tests.toy import dataset, make_example

GOLD, PREDICTED = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
indices = st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[arrays(np.int64, n, elements=st.integers(0, 3))] * 2)
)


def test_macro_f1_by_hand():
    """Class 0: ⅔, class 1: ½, class 2: never predicted."""
    assert macro_f1(GOLD, PREDICTED) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_paper_f1_by_hand():
    """One-vs-rest each: 0 → (⅔ + ⅘)/2, 1 → (½ + ½)/2, 2 → (0 + 6/7)/2."""
    expected = ((2 / 3 + 4 / 5) / 2 + 1 / 2 + (6 / 7) / 2) / 3
    assert paper_f1(GOLD, PREDICTED, 3) == pytest.approx(expected)


def test_paper_f1_is_inflated():
    """Always the same of five equally frequent classes: no skill, and yet more than a third."""
    gold = np.repeat(np.arange(5), 10)
    always = np.zeros_like(gold)
    assert macro_f1(gold, always) == pytest.approx((2 * 0.2 / 1.2) / 5)
    assert paper_f1(gold, always, 5) > 0.35
    assert paper_f1(gold, always, 5) > 5 * macro_f1(gold, always)


@given(indices)
@settings(max_examples=30)
def test_f1_is_a_fraction_and_one_only_for_the_truth(case):
    gold, predicted = case
    for value in (macro_f1(gold, predicted), paper_f1(gold, predicted, 4)):
        assert 0 <= value <= 1
        assert (value == pytest.approx(1)) == bool((gold == predicted).all())
    renamed = np.array([2, 0, 3, 1])
    assert macro_f1(renamed[gold], renamed[predicted]) == pytest.approx(macro_f1(gold, predicted))
    assert paper_f1(renamed[gold], renamed[predicted], 4) == pytest.approx(paper_f1(gold, predicted, 4))


def test_accuracies_by_hand():
    data = dataset([make_example(0, (0, 1, 2), 3), make_example(1, (2, 2, 2), 0)])
    concepts = torch.eye(3)[torch.tensor([[0, 1, 1], [2, 0, 2]])]  # 4 of 6
    labels = torch.eye(4)[torch.tensor([3, 1])]  # 1 of 2
    assert gold_labels(data).tolist() == [3, 0]
    assert gold_states(data).tolist() == [[0, 1, 2], [2, 2, 2]]
    scores = accuracies(Predictions(concepts, concepts, labels), data)
    assert scores == pytest.approx({"concept_accuracy": 4 / 6, "task_accuracy": 0.5, "score": 7 / 12})
    assert accuracies(Predictions(None, None, labels), data) == {"task_accuracy": 0.5, "score": 0.5}

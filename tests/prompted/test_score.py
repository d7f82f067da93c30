"""Four reviews scored by hand, with an answer among them that cannot be read."""

from __future__ import annotations

import numpy as np
import pytest

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.data.types import Example
from sparsecbm_core.evaluate.classification import macro_f1, paper_f1
from sparsecbm_core.prompted.parse import EMPTY, Parsed
from sparsecbm_core.prompted.score import score
from tests.toy import dataset

SPACE = ConceptSpace(("food",), ("Negative", "Positive"), ("bad", "good"))
UNREAD = Parsed(reason=EMPTY)


def reviews(*gold):
    """Reviews whose food and label are the same."""
    examples = [Example(str(i), f"review {i}", value, (value,)) for i, value in enumerate(gold)]
    return dataset(examples, space=SPACE)


def test_four_reviews():
    """Gold 0 0 1 1; food read 0 1 1 -, label read 0 0 1 -.

    Food: precision and recall are 1 and 1/2 for Negative, 1/2 and 1/2 for Positive: F1 2/3, 1/2, and 0 for
    what could not be read. Label: 1 and 1 for bad, 1 and 1/2 for good: F1 1, 2/3 and 0.
    Paper's F1 of food: each state against the rest. Negative: F1 2/3, its rest (gold 0 0 1 1, read 0 1 1 1)
    4/5. Positive: 1/2 and its rest (gold 1 1 0 0, read 1 0 0 1) 1/2.
    Of the label: bad 1 and its rest 1; good 2/3 and its rest (gold 1 1 0 0, read 1 1 0 1) 4/5.
    """
    answers = [Parsed((0,), 0), Parsed((1,), 0), Parsed((1,), 1), UNREAD]
    scores = score(answers, reviews(0, 0, 1, 1))
    assert scores["concept_accuracy"] == 2 / 4
    assert scores["task_accuracy"] == 3 / 4
    assert scores["concept_macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert scores["task_macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert scores["gold_class_f1"] == pytest.approx({"concept": (2 / 3 + 1 / 2) / 2, "task": (1 + 2 / 3) / 2})
    assert scores["paper_f1"]["concept"] == pytest.approx(((2 / 3 + 4 / 5) / 2 + (1 / 2 + 1 / 2) / 2) / 2)
    assert scores["paper_f1"]["task"] == pytest.approx(((1 + 1) / 2 + (2 / 3 + 4 / 5) / 2) / 2)
    assert scores["per_concept"]["food"] == {
        "accuracy": scores["concept_accuracy"],
        "macro_f1": scores["concept_macro_f1"],
    }


def test_without_unparseable_answers_the_measures_are_those_of_every_row():
    rng = np.random.default_rng(0)
    gold, states, labels = rng.integers(0, 2, (3, 40))
    scores = score([Parsed((int(s),), int(y)) for s, y in zip(states, labels, strict=True)], reviews(*gold))
    assert scores["concept_macro_f1"] == scores["gold_class_f1"]["concept"] == macro_f1(gold, states)
    assert scores["task_macro_f1"] == scores["gold_class_f1"]["task"] == macro_f1(gold, labels)
    assert scores["paper_f1"] == {"concept": paper_f1(gold, states, 2), "task": paper_f1(gold, labels, 2)}
    assert scores["task_accuracy"] == (gold == labels).mean()


def test_answers_that_are_all_right_or_all_unparseable():
    gold = (0, 1, 1)
    right = score([Parsed((g,), g) for g in gold], reviews(*gold))
    assert (right["concept_accuracy"], right["task_macro_f1"], right["paper_f1"]["task"]) == (1, 1, 1)
    wrong = score([UNREAD] * 3, reviews(*gold))
    assert (wrong["concept_accuracy"], wrong["task_accuracy"], wrong["task_macro_f1"]) == (0, 0, 0)
    assert wrong["gold_class_f1"] == {"concept": 0, "task": 0}

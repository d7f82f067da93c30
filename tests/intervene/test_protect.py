"""What is protected: earlier corrections, the latest word on each, and the reviews nearest the boundary."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.protect import Earlier, Protected
from tests.tiny import SPACE
from tests.toy import toy_reviews


def test_anchors_are_the_reviews_nearest_to_the_boundary_of_each_concept():
    reviews = toy_reviews(4)
    logits = torch.zeros(4, 3, 3)
    logits[:, 0, 1] = torch.tensor([3.0, 0.1, 2.0, 1.0])  # food: reviews 1 and 3 are nearest
    logits[:, 1, 0] = torch.tensor([0.2, 5.0, 0.1, 4.0])  # service: 2 and 0
    held = Protected.of(guard=reviews, concept_logits=logits, limit=2)
    texts = reviews.texts
    assert held.anchors["food"] == (texts[1], texts[3])
    assert held.anchors["service"] == (texts[2], texts[0])
    assert held.anchors["noise"] == (texts[0], texts[1])  # all alike: in their order
    assert held.earlier == ()


def test_the_latest_word_on_a_concept_of_a_text_counts():
    held = Protected.of([("a", "food", "Positive"), ("b", "food", "unknown"), ("a", "noise", "unknown")])
    again = held.and_earlier(" a", "food", "Negative")
    assert again.earlier_of("food") == (Earlier("b", "food", "unknown"), Earlier(" a", "food", "Negative"))
    assert again.earlier_of("noise") == held.earlier_of("noise") == (Earlier("a", "noise", "unknown"),)
    assert held.without("a ", "food").earlier_of("food") == (Earlier("b", "food", "unknown"),)
    assert len(held.earlier) == 3  # a value: none of this changed it


@pytest.mark.parametrize(
    ("held", "problem"),
    [
        (Protected((Earlier("a", "smell", "Positive"),)), "unknown protected concept 'smell'"),
        (Protected((Earlier("a", "food", "Great"),)), "unknown protected state 'Great'"),
        (Protected((Earlier(" ", "food", "Positive"),)), "protected text is empty"),
        (Protected(anchors={"smell": ()}), "unknown protected concept 'smell'"),
    ],
)
def test_what_a_model_cannot_protect(held, problem):
    with pytest.raises(InputError) as error:
        held.check(SPACE)
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("logits", [None, torch.zeros(3, 3, 3), torch.zeros(4, 3)])
def test_reviews_need_logits_of_their_own(logits):
    with pytest.raises(InputError, match=r"of shape \(4, 3, 3\) are needed"):
        Protected.of(guard=toy_reviews(4), concept_logits=logits)

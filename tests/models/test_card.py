"""The first lines of a model card: how far the pathway can be trusted, in plain words."""

from __future__ import annotations

from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.models.card import model_card, pathway_sentences

FOUND = {
    "unmentioned_share": 0.56,
    "rest_share": 0.0,
    "locality": 0.28,
    "own_effect": 0.277,
    "edits": {"count": 1299, "chance": 0.25},
    "label_accuracy": {"as_read": 0.75, "wrong_set_right": 0.73},
}


def test_a_pathway_that_is_not_true_says_so():
    said = pathway_sentences(FOUND, CEBAB)
    assert said[0].startswith(
        "56 % of what moves the answer comes from concepts that the review does not mention"
    )
    assert "28 % of what moves among the concepts stays with it (by chance 25 %)" in said[1]
    assert "by 0.28 stars, in 1,299 edits" in said[1]
    assert said[-1].endswith(
        "in 73 % with every wrong concept set right: setting concepts right does not mend labels."
    )


def test_and_so_does_one_that_is():
    true = {**FOUND, "unmentioned_share": 0.0, "rest_share": 0.2, "locality": None}
    true["label_accuracy"] = {"as_read": 0.74, "wrong_set_right": 0.76}
    said = pathway_sentences(true, CEBAB)
    assert said == [
        "A concept that the review does not mention adds nothing to the answer.",
        "20 % is carried by the rest of the review, which no concept names.",
        "Labels are right in 74 % as the concepts are read, and in 76 % with every wrong concept set right.",
    ]


def test_it_stands_before_everything_else():
    report = {"examples": 10, "pathway": FOUND}
    card = model_card(CEBAB, {"settings": {"kind": "sparse"}}, {"dev": report})
    assert "**How far the pathway can be trusted** (on dev): 56 %" in card
    assert card.index("How far the pathway") < card.index("Trained on")
    assert "How far the pathway" not in model_card(CEBAB, {}, {"dev": {"examples": 10}})

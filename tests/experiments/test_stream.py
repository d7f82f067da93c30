"""Reviews in a stream: what is counted, and that the model given stays as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments.figure4 import pick_cases
from sparsecbm_core.experiments.stream import correct_stream, oracle_label_accuracy, read_accuracy
from tests.tiny import make_tiny
from tests.toy import toy_reviews

REVIEWS = toy_reviews(8, "dev")


@pytest.fixture(scope="module")
def tiny():
    return make_tiny("bert")


def as_read(model):
    """The reviews with the states and labels that the model reads, so that nothing is wrong."""
    said = model.predict(REVIEWS.texts)
    examples = [
        replace(example, concepts=tuple(states), label=label)
        for example, states, label in zip(REVIEWS, said.states.tolist(), said.labels.tolist(), strict=True)
    ]
    return replace(REVIEWS, examples=tuple(examples))


def test_a_model_that_reads_all_right_is_left_alone(tiny):
    done = correct_stream(tiny, as_read(tiny), "signed", 0.01, None)
    assert (done.corrections, done.reached, done.drift) == (0, 0, 0)
    assert done.at_once == {"concept": 1.0, "label": 1.0}
    assert done.model is tiny
    assert read_accuracy(tiny, as_read(tiny)) == {"concept": 1.0, "label": 1.0}


def test_every_wrong_concept_is_corrected_and_stays_so(tiny):
    before = tiny.masks.fingerprint()
    reported = []
    done = correct_stream(tiny, REVIEWS, "signed", 0.05, None, report=lambda *now: reported.append(now[:2]))
    assert reported == [(n + 1, 8) for n in range(8)]
    assert 0 < done.reached <= done.corrections
    assert done.drift > 0
    assert done.at_once["concept"] > read_accuracy(tiny, REVIEWS)["concept"]
    assert tiny.masks.fingerprint() == before
    assert done.model.masks.sparsity() == tiny.masks.sparsity()


def test_one_review_read_again_is_what_was_counted(tiny):
    one = replace(REVIEWS, examples=REVIEWS.examples[:1])
    done = correct_stream(tiny, one, "signed", 0.05, None)
    assert done.at_once == read_accuracy(done.model, one)


def test_the_oracle_sets_wrong_concepts_and_only_those(tiny):
    said, right = tiny.predict(REVIEWS.texts), 0
    for i, example in enumerate(REVIEWS):
        activations = said.activations[i].clone()
        for k, state in enumerate(example.concepts):
            if int(said.states[i, k]) != state:
                activations[k] = torch.eye(3)[state]
        right += int(tiny.cbm.label_logits(activations[None]).argmax()) == example.label
    assert oracle_label_accuracy(tiny, REVIEWS) == right / 8
    assert oracle_label_accuracy(tiny, as_read(tiny)) == 1.0


def test_a_dense_model_has_nothing_to_correct():
    with pytest.raises(InputError, match="no masks to correct"):
        correct_stream(make_tiny("bert", density=None), REVIEWS, "signed", 0.01, None)


def test_cases_are_picked_by_what_setting_the_concept_does(tiny):
    cases = pick_cases(tiny, REVIEWS, 3)
    assert len({example.id for example, _ in cases}) == 3
    said = dict(zip((e.id for e in REVIEWS), tiny.predict(REVIEWS.texts).states.tolist(), strict=True))
    assert all(said[example.id][k] != example.concepts[k] for example, k in cases)
    assert pick_cases(tiny, REVIEWS, 1) == cases[:1]
    assert len(pick_cases(tiny, REVIEWS, 100)) <= len(REVIEWS)
    with pytest.raises(InputError, match="there is no case to show"):
        pick_cases(tiny, as_read(tiny), 1)

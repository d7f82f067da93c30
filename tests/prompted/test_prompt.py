"""What is asked, and where the examples in it come from."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sparsecbm_core.concepts import CEBAB, ConceptSpace
from sparsecbm_core.data.types import Example
from sparsecbm_core.errors import DataError, InputError
from sparsecbm_core.prompted.prompt import Prompt
from sparsecbm_core.prompted.shots import draw_shots
from tests.tiny import SPACE
from tests.toy import dataset, make_example, toy_reviews

TRAIN, DEV = toy_reviews(200), dataset([make_example(i, (i % 3, 2, 2), 0) for i in range(3)], "dev")


def test_the_question_names_every_concept_state_and_label():
    [message] = Prompt(CEBAB).messages("Cold soup.")
    assert message["role"] == "user"
    text = message["content"]
    lines = text.splitlines()
    for name in ("food", "ambiance", "service", "noise"):
        assert f'- "{name}"' in lines
    assert '- "unknown": Not mentioned' in lines
    assert '- "4": 4 of 5 stars' in lines
    assert text.endswith("\n\nReview:\nCold soup.")
    form = json.loads(next(line for line in lines if line.startswith("{")))
    assert list(form) == ["food", "ambiance", "service", "noise", "label"]


def test_examples_are_turns_before_the_review():
    shots = (make_example(1, (0, 1, 2), 3), make_example(2, (2, 2, 2), 0))
    prompt = Prompt(SPACE, shots)
    first, second, third, fourth, last = prompt.messages("Cold soup.")
    assert first["content"] == f"{prompt.instructions()}\n\nReview:\n{shots[0].text}"
    assert json.loads(second["content"]) == {
        "food": "Negative",
        "service": "Positive",
        "noise": "unknown",
        "label": "4",
    }
    assert third == {"role": "user", "content": f"Review:\n{shots[1].text}"}
    assert (second["role"], fourth["role"]) == ("assistant", "assistant")
    assert last == {"role": "user", "content": "Review:\nCold soup."}


def test_the_fingerprint_changes_with_all_that_is_asked_but_not_with_the_review():
    prompts = [
        Prompt(SPACE),
        Prompt(SPACE, (make_example(1, (0, 1, 2), 3),)),
        Prompt(replace(SPACE, titles={"food": "Food and drink"})),
        Prompt(replace(SPACE, labels=("1", "2", "3"))),
    ]
    assert len({prompt.fingerprint for prompt in prompts}) == 4
    assert Prompt(SPACE).fingerprint == Prompt(SPACE).fingerprint


def test_half_a_character_does_not_break_the_request():
    [message] = Prompt(SPACE).messages("cold \ud83d soup")
    assert message["content"].encode().endswith("cold \ufffd soup".encode())


def test_shots_are_drawn_by_seed_and_spread_over_the_labels():
    shots = draw_shots(TRAIN, DEV, 8, seed=3)
    assert shots == draw_shots(TRAIN, DEV, 8, seed=3)
    assert shots != draw_shots(TRAIN, DEV, 8, seed=4)
    assert sorted(shot.label for shot in shots) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(set(shots)) == 8
    assert set(shots) <= set(TRAIN.examples)
    orders = {tuple(shot.label for shot in draw_shots(TRAIN, DEV, 4, seed)) for seed in range(12)}
    assert len(orders) > 1  # no label is always first
    assert draw_shots(TRAIN, DEV, 0) == ()


def test_shots_are_never_what_is_measured():
    """Neither the same text, however it is spaced, nor another edit of the same original."""
    texts = [Example(str(i), f"Review  {i}", i % 4, (0, 0, 0), f"group {i}") for i in range(8)]
    training = dataset(texts, "train")
    measured = [replace(texts[0], text="review 0 ", group=None), replace(texts[1], text="other")]
    evaluated = dataset(measured, "dev")
    for seed in range(20):
        assert not {"0", "1"} & {shot.id for shot in draw_shots(training, evaluated, 6, seed)}
    with pytest.raises(InputError, match="7 shots asked for; toy train has 6 reviews that are not in dev"):
        draw_shots(training, evaluated, 7)


def test_reviews_without_a_group_are_no_group():
    training = dataset([Example(str(i), f"a {i}", 0, (0, 0, 0)) for i in range(3)], "train")
    assert len(draw_shots(training, dataset([Example("9", "b", 0, (0, 0, 0))], "dev"), 3)) == 3


def test_shots_of_the_evaluated_split_are_refused():
    with pytest.raises(InputError, match="shots cannot come from 'dev', which is measured"):
        draw_shots(DEV, DEV, 1)


def test_shots_of_another_kind_of_data_are_refused():
    other = ConceptSpace(SPACE.concepts, SPACE.states, ("bad", "good"))
    with pytest.raises(DataError, match="differ in concepts, states or labels"):
        draw_shots(replace(TRAIN, space=other), DEV, 1)


def test_a_negative_number_of_shots():
    with pytest.raises(InputError, match="0 or more, got -1"):
        draw_shots(TRAIN, DEV, -1)

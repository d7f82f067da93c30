"""Figures of scopes, against what they must be where the siblings and the close reviews are known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from benchmarks.scopes import (
    ALIKE,
    COUNTS,
    MODES,
    correct_pairs,
    detection,
    evaluate_chain,
    evaluate_single,
    run_scopes,
)
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.interventions import apply_rule
from sparsecbm_core.evaluate.pairs import Pair, Reviews, mispredicted
from sparsecbm_core.intervene.scope import EVERYWHERE, SIMILAR
from tests.toy import dataset, make_example, toy_reviews

# A text of its own for each group: what makes its members close to each other and to nobody else.
TALES = (
    "on our wedding day in June",
    "while Grandpa slept upstairs",
    "because buses never ran there",
    "although fifty guests had cancelled",
    "since nobody spoke Portuguese",
    "till every lamp went dark",
    "after driving through heavy snow",
    "beside that crooked lighthouse",
    "where puppies chased each ball",
    "behind six empty warehouses",
    "with my boss and her twins",
    "upon hearing Kevin's joke",
)


@pytest.fixture(autouse=True)
def small_models_need_larger_shares(monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)


@pytest.fixture(scope="module")
def data(tiny_model):
    """Twelve groups of four reviews that differ in their last word."""
    examples = [
        replace(example, group=str(i // 4), text=f"{TALES[i // 4]} {('yes', 'no', 'so', 'or')[i % 4]}")
        for i, example in enumerate(toy_reviews(48, space=tiny_model.space))
    ]
    return dataset(examples, space=tiny_model.space)


@pytest.fixture(scope="module")
def reviews(data):
    return Reviews.of(data, 4, 8, 0)


def test_detection_by_hand(tiny_model):
    """Three edits that are the same text, and one of another original: three pairs and three others."""
    texts = ("the soup was cold", "The soup  was cold", "the soup was COLD", "loud music, rude waiters")
    examples = [
        replace(make_example(i, (0, 0, 0), 0), text=text, group="b" if i == 3 else "a")
        for i, text in enumerate(texts)
    ]
    found = detection(dataset(examples))
    assert found == {"threshold": 0.5, "edits": 3, "others": 3, "detected": 1.0, "false_alarms": 0.0}
    assert detection(dataset(examples), -1.0)["false_alarms"] == 1.0
    with pytest.raises(InputError, match="there are none"):
        detection(dataset(examples[2:]))


def test_detection_agrees_with_the_signatures(data):
    from sparsecbm_core.intervene.scope import THRESHOLD, Signature

    drawn = [(Signature.of(e.text), e.group) for e in data]
    pairs = [
        (a.similarity(b) >= THRESHOLD, of == other)
        for i, (a, of) in enumerate(drawn)
        for b, other in drawn[i + 1 :]
    ]
    found = detection(data)
    assert found["edits"] == 12 * 6
    assert found["detected"] == pytest.approx(sum(near for near, same in pairs if same) / found["edits"])
    others = sum(near for near, same in pairs if not same)
    assert found["false_alarms"] == pytest.approx(others / found["others"])


def tally_of(*counts):
    return dict(zip(COUNTS, counts, strict=True))


def test_single_corrections(tiny_model, data, reviews):
    pairs = mispredicted(tiny_model, reviews.pool, 3, 0)
    patches = correct_pairs(tiny_model, pairs, None, "signed")
    figures = evaluate_single(tiny_model, pairs, patches, data)
    assert tuple(figures) == MODES
    expected = {"same": [0, 0, 0], "differing": [0, 0, 0]}  # reviews, right before, right everywhere
    for pair in pairs:
        corrected = apply_rule(tiny_model, pair, "signed", None).corrected
        gold = pair.example.concepts[pair.k]
        for other in reviews.pool:
            if other.group == pair.example.group and other.id != pair.example.id:
                tally = expected["same" if other.concepts[pair.k] == gold else "differing"]
                tally[0] += 1
                for place, model in ((1, tiny_model), (2, corrected)):
                    said = model.predict([other.text]).states[0, pair.k]
                    tally[place] += int(said == other.concepts[pair.k])
    for kind, tally in expected.items():
        everywhere, similar, alike = (figures[mode][kind] for mode in MODES)
        assert [everywhere[name] for name in ("reviews", "right_before", "right_after")] == tally
        assert everywhere["fires"] == everywhere["reviews"] >= similar["fires"] >= alike["fires"]
        for each in (everywhere, similar, alike):
            assert each["right_after"] == each["right_before"] + each["fixed"] - each["broken"]
    assert sum(expected[kind][0] for kind in expected) == 9
    assert figures[EVERYWHERE]["unrelated"] is None
    assert figures[SIMILAR]["unrelated"] == tally_of(0, 0, 0, 0, 0, 0)


def test_edits_that_contradict_each_other_are_counted_apart(tiny_model, data):
    """The same text with two gold states cannot be right twice, whatever a correction does."""
    first = replace(data.examples[0], concepts=(0, 0, 0))
    said = int(tiny_model.predict([first.text]).states[0, 0])
    wrong, right = (
        replace(first, concepts=((said + 1) % 3, 0, 0)),
        replace(first, id="again", text=first.text.upper(), concepts=(said, 0, 0)),
    )
    both, pairs = dataset([wrong, right], space=tiny_model.space), [Pair(wrong, 0)]
    patches = correct_pairs(tiny_model, pairs, None, "signed")
    figures = evaluate_single(tiny_model, pairs, patches, both)[SIMILAR]
    assert figures["contradicting"] == tally_of(1, 1, 1, 0, 0, 1)
    for kind in ("same", "differing", "unrelated"):
        assert figures[kind] == tally_of(0, 0, 0, 0, 0, 0)


def test_a_close_review_of_another_original_is_counted_as_unrelated(tiny_model, data):
    own = data.examples[0]
    said = int(tiny_model.predict([own.text]).states[0, 0])
    wrong = replace(own, concepts=((said + 1) % 3, 0, 0))
    other = replace(wrong, id="other", group="elsewhere")
    pairs = [Pair(wrong, 0)]
    patches = correct_pairs(tiny_model, pairs, None, "signed")
    figures = evaluate_single(tiny_model, pairs, patches, dataset([wrong, other], space=tiny_model.space))
    for mode in (SIMILAR, ALIKE):
        assert figures[mode]["unrelated"] == tally_of(1, 1, 0, 1, 1, 0)


def test_a_chain(tiny_model, reviews):
    pairs = mispredicted(tiny_model, reviews.pool, 6, 0)
    patches = correct_pairs(tiny_model, pairs, None, "signed")
    first, last = evaluate_chain(tiny_model, pairs, patches, [6, 1, 99], reviews, None, "signed")
    assert (first["corrections"], first["patches"], first["still_right"]) == (1, 1, 1.0)
    assert first["siblings"] == 3
    assert last["corrections"] == 6
    assert last["patches"] <= 6
    # No guard review is close to any: nothing can have changed there.
    assert last["guard_fires"] == 0
    assert last["concept_accuracy"] == last["concept_accuracy_start"]
    assert last["label_accuracy"] == last["label_accuracy_start"]
    gold = torch.tensor([example.concepts for example in reviews.guard])
    right = (tiny_model.predict(reviews.guard.texts).states == gold).float().mean()
    assert last["concept_accuracy_start"] == pytest.approx(float(right))
    assert evaluate_chain(tiny_model, pairs, patches, [], reviews, None, "signed") == []


def test_a_chain_meets_the_model_as_its_earlier_links_left_it(tiny_model, reviews):
    """Of a pair that was corrected before, nothing is left to correct."""
    pair = mispredicted(tiny_model, reviews.pool, 1, 0)[0]
    patches = correct_pairs(tiny_model, [pair, pair], None, "signed")
    (figures,) = evaluate_chain(tiny_model, [pair, pair], patches, [2], reviews, None, "signed")
    assert (figures["patches"], figures["still_right"]) == (1, 1.0)


def test_all_of_it(tiny_model, data):
    result = run_scopes(tiny_model, data, limit=2, guard=8, profile=4, lengths=(1, 2))
    found = json.loads(json.dumps(result))
    assert set(found["single"]) == set(MODES)
    assert [figures["corrections"] for figures in found["chain"]] == [1, 2]
    assert found["model"] == tiny_model.fingerprint
    assert found["settings"]["guard"] == 8

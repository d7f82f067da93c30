"""Rules measured side by side: the parts are disjoint, and every figure follows from its corrections."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.errors import DataError, InputError
from sparsecbm_core.evaluate.interventions import (
    ALL_RULES,
    apply_rule,
    correct_pair,
    evaluate_chain,
    run_evaluation,
)
from sparsecbm_core.evaluate.pairs import Reviews, mispredicted, siblings_right
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.profile import compute_profile
from sparsecbm_core.intervene.protect import Protected
from sparsecbm_core.session.correction import broken_readings
from sparsecbm_core.session.guard import Guard
from tests.tiny import SPACE, make_tiny
from tests.toy import dataset, toy_reviews


@pytest.fixture(autouse=True)
def small_models_need_larger_shares(monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)


@pytest.fixture(scope="module")
def data(tiny_model):
    """Sixty reviews in groups of three."""
    reviews = toy_reviews(60, space=tiny_model.space)
    examples = [replace(e, group=str(i // 3), text=f"{e.text} {i}") for i, e in enumerate(reviews)]
    return dataset(examples, space=tiny_model.space)


def test_the_parts_share_no_group(data):
    parts = Reviews.of(data, profile=10, guard=13, seed=3)
    groups = [{e.group for e in part} for part in (parts.profile, parts.guard, parts.pool)]
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & groups[2]
    assert sorted(e.id for part in (parts.profile, parts.guard, parts.pool) for e in part) == sorted(
        e.id for e in data
    )
    assert (len(parts.profile), len(parts.guard)) == (12, 15)  # whole groups of three
    assert Reviews.of(data, 10, 13, seed=3) == parts != Reviews.of(data, 10, 13, seed=4)
    with pytest.raises(InputError, match="too few"):
        Reviews.of(data, profile=40, guard=40, seed=0)


def test_pairs_are_the_wrong_ones_in_a_seeded_order(tiny_model, data):
    everything = mispredicted(tiny_model, data, 10_000, seed=1)
    states = tiny_model.predict(data.texts).states
    gold = torch.tensor([e.concepts for e in data])
    assert len(everything) == int((states != gold).sum())
    assert mispredicted(tiny_model, data, 7, seed=1) == everything[:7]
    assert mispredicted(tiny_model, data, 7, seed=2) != everything[:7]


def test_siblings_are_other_edits_with_the_same_state(tiny_model, data):
    pair = mispredicted(tiny_model, data, 10_000, seed=1)[0]
    expected = [
        e
        for e in data
        if e.group == pair.example.group
        and e.id != pair.example.id
        and e.concepts[pair.k] == pair.example.concepts[pair.k]
    ]
    right, count = siblings_right(tiny_model, pair, data)
    assert count == len(expected)
    if expected:
        said = tiny_model.predict([e.text for e in expected]).states[:, pair.k]
        assert right == int((said == pair.example.concepts[pair.k]).sum())


@pytest.fixture(scope="module")
def result(tiny_model, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)
        return run_evaluation(tiny_model, data, ALL_RULES, limit=4, guard=12, profile=9, sequential=(1, 3))


def test_all_rules_in_one_run(result):
    assert set(result.rules) == set(ALL_RULES)
    assert result.rules["oracle"].efficacy == 0.0
    assert result.rules["oracle"].guard_unchanged == {"concept": 1.0, "other_concepts": 1.0, "label": 1.0}
    assert result.rules["signed"].efficacy == 1.0
    assert result.rules["paper"].r_median == pytest.approx(0.01, abs=1e-3)
    for name in ("guarded", "signed", "paper", "random"):
        figures = result.rules[name]
        assert figures.weights_flipped_median == pytest.approx(2 * figures.r_median)
        assert figures.guard_unchanged["other_concepts"] == 1.0  # their subnetworks are not touched
    json.dumps(result.to_dict())


def test_a_chain_keeps_count(result, tiny_model):
    for rule, chain in result.sequential.items():
        assert [figures.corrections for figures in chain] == [1, 3]
        if rule in ("signed", "guarded"):
            assert chain[0].still_right == 1.0
            assert 0 < chain[0].drift <= chain[1].drift * 3
    assert "oracle" not in result.sequential
    assert {rule: chain[0].protected for rule, chain in result.sequential.items()} == {
        rule: rule == "guarded" for rule in result.sequential
    }


def test_a_chain_is_what_its_corrections_are_one_after_another(tiny_model, data):
    reviews = Reviews.of(data, 9, 12, 0)
    pairs = mispredicted(tiny_model, reviews.pool, 3, 0)
    baseline = GuardBaseline.read(tiny_model, reviews.guard)
    (figures,) = evaluate_chain(tiny_model, "signed", pairs, [3], baseline, None)
    model = tiny_model
    for pair in pairs:
        model = apply_rule(model, pair, "signed", None).corrected
    said = model.predict(reviews.guard.texts)
    gold = torch.tensor([e.concepts for e in reviews.guard])
    assert figures.concept_accuracy == pytest.approx(float((said.states == gold).float().mean()))
    right = [model.predict([p.example.text]).states[0, p.k] == p.example.concepts[p.k] for p in pairs]
    assert figures.still_right == pytest.approx(sum(map(bool, right)) / 3)


def test_a_protected_chain_keeps_each_correction(tiny_model, data):
    reviews = Reviews.of(data, 9, 12, 0)
    pairs = mispredicted(tiny_model, reviews.pool, 12, 1)
    baseline = GuardBaseline.read(tiny_model, reviews.guard)
    profile = compute_profile(tiny_model, reviews.profile.texts)
    held = Protected()
    (kept,) = evaluate_chain(tiny_model, "guarded", pairs, [12], baseline, profile, protect=held)
    (lost,) = evaluate_chain(tiny_model, "guarded", pairs, [12], baseline, profile)
    assert (kept.protected, lost.protected) == (True, False)
    assert kept.still_right == 1.0 > lost.still_right
    assert kept.seconds_median > 0
    assert held.earlier == ()


def test_a_correction_spares_reviews_as_a_session_does(tiny_model, data, monkeypatch):
    monkeypatch.setattr("sparsecbm_core.session.attempt.TOLERATED", 0)
    reviews = Reviews.of(data, 30, 12, 0)
    profile = compute_profile(tiny_model, reviews.profile.texts)
    spared = Guard.in_memory(tiny_model, reviews.profile, profile)
    baseline = GuardBaseline.read(tiny_model, reviews.profile)
    alone, careful = 0, 0
    for pair in mispredicted(tiny_model, reviews.pool, 6, 1):
        first = apply_rule(tiny_model, pair, "guarded", profile)
        gentle = correct_pair(tiny_model, pair, "guarded", spared)
        assert first.again
        assert gentle.again
        harm = [broken_readings(baseline.report(one.corrected, (one.concept,))) for one in (first, gentle)]
        assert harm[1] <= harm[0]
        alone, careful = alone + harm[0], careful + harm[1]
    assert careful < alone


def test_a_chain_can_go_without_protection(tiny_model, data):
    result = run_evaluation(
        tiny_model, data, ["guarded"], limit=2, guard=12, profile=9, sequential=(2,), protect=False
    )
    assert result.settings["protect"] is False
    assert not result.sequential["guarded"][0].protected


def test_a_stopped_run_goes_on(tiny_model, data, result, monkeypatch):
    done = json.loads(json.dumps(result.to_dict()))
    del done["rules"]["signed"], done["sequential"]["signed"]
    measured = []
    again = run_evaluation(
        tiny_model,
        data,
        ALL_RULES,
        limit=4,
        guard=12,
        profile=9,
        sequential=(1, 3),
        done=done,
        on_result=lambda part: measured.append(set(part.rules)),
    )
    assert len(measured) == 2  # the rule, and its chain
    figures, before = again.rules["signed"], result.rules["signed"]
    assert replace(figures, seconds_median=0) == replace(before, seconds_median=0)
    with pytest.raises(InputError, match="other data, model or settings"):
        run_evaluation(tiny_model, data, ["oracle"], limit=5, guard=12, profile=9, done=done)
    with pytest.raises(InputError, match="unknown rule"):
        run_evaluation(tiny_model, data, ["magic"])


def test_a_model_of_one_concept(data):
    """It has no other concepts, so none of them changed."""
    space = replace(SPACE, concepts=("food",))
    examples = [replace(example, concepts=example.concepts[:1]) for example in data]
    result = run_evaluation(
        make_tiny("bert", space=space),
        dataset(examples, space=space),
        ALL_RULES,
        limit=2,
        guard=12,
        profile=9,
        sequential=(1, 2),
    )
    for figures in result.rules.values():
        assert figures.guard_unchanged["other_concepts"] == 1.0
        assert figures.guard_accuracy_delta["other_concepts"] == 0.0
    assert [figures.corrections for figures in result.sequential["guarded"]] == [1, 2]
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("space", "fragment"),
    [
        (CEBAB, "has concepts ['food', 'ambiance', 'service', 'noise']"),
        (
            replace(SPACE, states=("Positive", "Negative", "unknown")),
            "states ['Positive', 'Negative', 'unknown']",
        ),
        (replace(SPACE, labels=("4", "3", "2", "1")), "labels ['4', '3', '2', '1']"),
    ],
    ids=["concepts", "states", "labels"],
)
def test_data_of_another_space_is_refused_at_once(tiny_model, data, space, fragment):
    examples = [replace(example, concepts=(0,) * space.num_concepts) for example in data]
    with pytest.raises(DataError) as caught:
        run_evaluation(tiny_model, dataset(examples, space=space), ["signed"], guard=12, profile=9)
    assert fragment in str(caught.value)
    assert "the model needs ['food', 'service', 'noise'], ['Negative', 'Positive', 'unknown']" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)

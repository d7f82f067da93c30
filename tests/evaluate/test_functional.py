"""Subnetworks swapped, taken away and probed: against masks cut by hand and features made to be read."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from sparsecbm_core.errors import DataError, InputError
from sparsecbm_core.evaluate.classification import gold_states
from sparsecbm_core.evaluate.functional import (
    Removal,
    functional_tests,
    probe_accuracy,
    subnetwork_vectors,
    without,
)
from sparsecbm_core.explain import cross_accuracy
from sparsecbm_core.models.masks import MaskSet
from tests.tiny import ARCHITECTURES, SPACE, make_tiny, random_masks, with_masks
from tests.toy import dataset, toy_reviews

DATA, TRAIN = toy_reviews(24, "dev"), toy_reviews(120, "train")


@pytest.fixture(scope="module")
def result(tiny_model):
    return functional_tests(tiny_model, DATA, TRAIN)


def masks_of(model, bits):
    return with_masks(model, MaskSet.from_bool(SPACE.concepts, bits))


def test_masks_without_a_concept_by_hand():
    bits = np.array([[[1, 1, 0, 0, 1]], [[1, 0, 1, 0, 1]], [[1, 1, 1, 1, 1]]], bool)
    left = without(MaskSet.from_bool(SPACE.concepts, {"m": bits}), "service").to_bool("m").astype(int)
    assert left.reshape(3, 5).tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]]
    with pytest.raises(InputError, match="choose one of: food, service, noise"):
        without(MaskSet.from_bool(SPACE.concepts, {"m": bits}), "soup")


def test_means_by_hand():
    removal = Removal(("a", "b"), (0.9, 0.8), ((0.3, 0.7), (0.8, 0.4)), ((1.0, 0.5), (0.5, 1.0)))
    assert removal.mean_own_drop == pytest.approx((0.6 + 0.4) / 2)
    assert removal.mean_other_drop == pytest.approx((0.1 + 0.1) / 2)
    assert Removal(("a",), (0.9,), ((0.3,),), ((1.0,),)).mean_other_drop is None


def test_swapped_masks_are_cross_accuracy(tiny_model, result):
    expected = cross_accuracy(tiny_model, DATA)
    assert result.swapped.examples == expected.examples == 24
    assert np.array(result.swapped.accuracy) == pytest.approx(np.array(expected.accuracy))
    assert result.mean_drop == pytest.approx(expected.mean_own - expected.mean_other)


def test_removal_is_what_masks_cut_by_hand_predict(tiny_model, result):
    masks, gold = tiny_model.masks, gold_states(DATA)
    assert result.removal.before == pytest.approx(tuple(np.diag(result.swapped.accuracy)))
    for k in range(3):
        bits = {name: masks.to_bool(name) & ~masks.to_bool(name)[k] for name in masks.shapes}
        states = masks_of(tiny_model, bits).predict(DATA.texts).states.numpy()
        assert result.removal.after[k] == pytest.approx(tuple((states == gold).mean(0)))
    both = sum((masks.to_bool(name)[0] & masks.to_bool(name)[1]).sum() for name in masks.shapes)
    size = sum(masks.to_bool(name)[1].sum() for name in masks.shapes)
    assert result.removal.lost[0][1] == pytest.approx(both / size)
    assert [result.removal.lost[k][k] for k in range(3)] == [1, 1, 1]


def test_disjoint_subnetworks_do_not_feel_each_others_removal(tiny_model):
    rng, bits = np.random.default_rng(0), {}
    for name, shape in tiny_model.masks.shapes.items():
        owner = rng.integers(0, 4, shape)
        bits[name] = np.stack([owner == k for k in range(3)])
    removal = functional_tests(masks_of(tiny_model, bits), DATA).removal
    assert removal.mean_other_drop == 0
    assert removal.lost == ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def test_equal_subnetworks_cannot_be_told_apart(tiny_model):
    full = with_masks(tiny_model, random_masks(tiny_model.cbm, density=1.0))
    found = functional_tests(full, DATA, TRAIN, probe_reviews=60)
    assert found.mean_drop == pytest.approx(0)
    assert found.removal.after[0] == found.removal.after[1] == found.removal.after[2]
    assert all(row == pytest.approx([row[0]] * 3) for row in found.probes.accuracy)


def test_majority_by_hand(result):
    counts = [np.bincount(gold_states(DATA)[:, k]).max() for k in range(3)]
    assert result.majority == pytest.approx(tuple(count / 24 for count in counts))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_vectors_are_what_the_heads_read(arch, tiny_models):
    model = tiny_models[arch]
    vectors = subnetwork_vectors(model, DATA.texts, batch_size=5)
    assert len(vectors) == 4
    with torch.no_grad():
        logits = model.cbm.project(torch.from_numpy(np.stack(vectors[:3])))
    torch.testing.assert_close(logits, model.predict(DATA.texts).concept_logits, atol=1e-4, rtol=1e-4)
    ids = torch.tensor([model.encode(DATA.texts)[7].ids])
    expected = model.cbm.embed(ids)[0].mean(0).numpy()
    np.testing.assert_allclose(vectors[3][7], expected, atol=1e-5)


def test_a_probe_finds_what_is_there_and_nothing_else():
    rng = np.random.default_rng(0)
    states, other = rng.integers(0, 3, 400), rng.integers(0, 3, 400)
    features = np.eye(3)[states] + rng.normal(size=(400, 3)) * 0.1
    known, unknown = slice(0, 300), slice(300, 400)
    assert probe_accuracy(features[known], states[known], features[unknown], states[unknown]) == 1.0
    assert probe_accuracy(features[known], other[known], features[unknown], other[unknown]) < 0.5


def test_a_probe_that_has_seen_one_state_says_it():
    found = probe_accuracy(np.ones((3, 2)), np.array([1, 1, 1]), np.ones((4, 2)), np.array([1, 0, 2, 1]))
    assert found == 0.5


def test_words_say_the_state_to_a_probe(result):
    """In the toy reviews every state has words of its own."""
    probes = result.probes
    assert min(probes.embeddings) > max(result.majority)
    assert (probes.train["split"], probes.examples) == ("train", 120)
    assert probes.mean_own == pytest.approx(np.mean(np.diag(probes.accuracy)))
    assert functional_tests(make_tiny("bert"), DATA).probes is None


def test_what_the_result_says_of_itself(tiny_model, result):
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["settings"] == {"reviews": 24, "probe_reviews": 120, "probe_penalty": 0.1, "seed": 0}
    assert plain["model"] == tiny_model.fingerprint
    assert plain["swapped"]["mean_drop"] == result.mean_drop
    assert plain["removal"]["mean_own_drop"] == result.removal.mean_own_drop
    assert plain["probes"]["mean_other"] == result.probes.mean_other


def test_draws_and_progress(tiny_model):
    seen = []
    found = functional_tests(
        tiny_model, DATA, TRAIN, reviews=10, probe_reviews=20, on_progress=lambda *s: seen.append(s)
    )
    assert (found.examples, found.probes.examples) == (10, 20)
    assert seen[-1] == (60, 60)  # vectors and three removals of 10, and 20 to learn from
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen)


def test_bad_input_is_refused(tiny_model):
    with pytest.raises(InputError, match="dense model"):
        functional_tests(make_tiny("bert", density=None), DATA)
    with pytest.raises(DataError, match="no usable rows"):
        functional_tests(tiny_model, DATA, dataset([]))

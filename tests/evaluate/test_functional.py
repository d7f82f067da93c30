"""Subnetworks swapped and taken away: against masks cut by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sparsecbm_core.errors import DataError, InputError
from sparsecbm_core.evaluate.classification import gold_states
from sparsecbm_core.evaluate.functional import functional_tests, without
from sparsecbm_core.explain import cross_accuracy
from sparsecbm_core.models.masks import MaskSet
from tests.tiny import SPACE, make_tiny, random_masks, with_masks
from tests.toy import dataset, toy_reviews

DATA = toy_reviews(24, "dev")


@pytest.fixture(scope="module")
def result(tiny_model):
    return functional_tests(tiny_model, DATA)


def masks_of(model, bits):
    return with_masks(model, MaskSet.from_bool(SPACE.concepts, bits))


def test_masks_without_a_concept_by_hand():
    bits = np.array([[[1, 1, 0, 0, 1]], [[1, 0, 1, 0, 1]], [[1, 1, 1, 1, 1]]], bool)
    left = without(MaskSet.from_bool(SPACE.concepts, {"m": bits}), "service").to_bool("m").astype(int)
    assert left.reshape(3, 5).tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]]
    with pytest.raises(InputError, match="choose one of: food, service, noise"):
        without(MaskSet.from_bool(SPACE.concepts, {"m": bits}), "soup")


def test_swapped_masks_are_cross_accuracy(tiny_model, result):
    expected = cross_accuracy(tiny_model, DATA)
    assert (result.concepts, result.swapped) == (SPACE.concepts, expected.accuracy)


def test_removal_is_what_masks_cut_by_hand_predict(tiny_model, result):
    masks, gold = tiny_model.masks, gold_states(DATA)
    assert result.own == tuple(np.diag(result.swapped))
    for k in range(3):
        bits = {name: masks.to_bool(name) & ~masks.to_bool(name)[k] for name in masks.shapes}
        states = masks_of(tiny_model, bits).predict(DATA.texts).states.numpy()
        assert result.removed[k] == pytest.approx(tuple((states == gold).mean(0)))
    both = sum((masks.to_bool(name)[0] & masks.to_bool(name)[1]).sum() for name in masks.shapes)
    size = sum(masks.to_bool(name)[1].sum() for name in masks.shapes)
    assert result.lost[0][1] == pytest.approx(both / size)
    assert [result.lost[k][k] for k in range(3)] == [1, 1, 1]


def test_disjoint_subnetworks_do_not_feel_each_others_removal(tiny_model):
    rng, bits = np.random.default_rng(0), {}
    for name, shape in tiny_model.masks.shapes.items():
        owner = rng.integers(0, 4, shape)
        bits[name] = np.stack([owner == k for k in range(3)])
    found = functional_tests(masks_of(tiny_model, bits), DATA)
    assert [found.drop(k, j) for k in range(3) for j in range(3) if k != j] == [0] * 6
    assert found.lost == ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def test_equal_subnetworks_cannot_be_told_apart(tiny_model):
    full = with_masks(tiny_model, random_masks(tiny_model.cbm, density=1.0))
    found = functional_tests(full, DATA)
    assert all(row == (row[0],) * 3 for row in found.swapped)
    assert found.removed[0] == found.removed[1] == found.removed[2]


def test_majority_by_hand(result):
    counts = [np.bincount(gold_states(DATA)[:, k]).max() for k in range(3)]
    assert result.majority == pytest.approx(tuple(count / 24 for count in counts))


def test_draws_and_progress(tiny_model):
    seen = []
    functional_tests(tiny_model, DATA, reviews=10, on_progress=lambda *s: seen.append(s))
    assert seen[-1] == (40, 40)  # swapped masks and three removals, of 10 reviews
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen)


def test_bad_input_is_refused(tiny_model):
    with pytest.raises(InputError, match="dense model"):
        functional_tests(make_tiny("bert", density=None), DATA)
    with pytest.raises(DataError, match="no usable rows"):
        functional_tests(tiny_model, dataset([]))

"""Masks as values: packed bits against plain boolean arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.errors import CheckpointError, InputError
from sparsecbm_core.models.masks import MaskSet, chance_jaccard

CONCEPTS = ("food", "service", "noise")


@st.composite
def boolean_masks(draw):
    """(concept names, matrix → (K, O, I) bool) of any shapes, also ones that leave padding bits."""
    count = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    shapes = draw(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 9)), min_size=1, max_size=3))
    return CONCEPTS[:count], {
        f"m{i}": rng.random((count, *shape)) < density for i, shape in enumerate(shapes)
    }


@given(boolean_masks())
def test_packing_loses_nothing(case):
    concepts, arrays = case
    masks = MaskSet.from_bool(concepts, arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(masks.to_bool(name), array)
        np.testing.assert_array_equal(masks.to_torch(name).numpy(), array)
        assert masks.to_torch(name).dtype == torch.bool
        for k, concept in enumerate(concepts):
            np.testing.assert_array_equal(masks.concept_bool(name, concept), array[k])
    assert masks.total == sum(array[0].size for array in arrays.values())


@given(boolean_masks())
def test_counts_agree_with_numpy(case):
    concepts, arrays = case
    masks = MaskSet.from_bool(concepts, arrays)
    flat = np.concatenate([array.reshape(len(concepts), -1) for array in arrays.values()], axis=1)
    for k, concept in enumerate(concepts):
        assert masks.kept()[concept] == {name: array[k].sum() for name, array in arrays.items()}
        assert masks.sparsity()[concept] == pytest.approx(1 - flat[k].mean())
    pairs = [(a, b) for a in range(len(concepts)) for b in range(a + 1, len(concepts))]
    assert list(masks.jaccard()) == [(concepts[a], concepts[b]) for a, b in pairs]
    for a, b in pairs:
        both, either = (flat[a] & flat[b]).sum(), (flat[a] | flat[b]).sum()
        assert masks.overlap(concepts[a], concepts[b]) == (both, either)
        expected = both / either if either else 1.0
        assert masks.jaccard()[concepts[a], concepts[b]] == pytest.approx(expected)


@given(boolean_masks(), st.data())
def test_with_concept_changes_that_concept_alone(case, data):
    concepts, arrays = case
    masks, before = MaskSet.from_bool(concepts, arrays), MaskSet.from_bool(concepts, arrays)
    k = data.draw(st.integers(0, len(concepts) - 1))
    name = data.draw(st.sampled_from(sorted(arrays)))
    changed = masks.with_concept(concepts[k], {name: ~arrays[name][k]})
    expected = {n: array.copy() for n, array in arrays.items()}
    expected[name][k] = ~expected[name][k]
    assert changed == MaskSet.from_bool(concepts, expected)
    assert masks == before
    assert changed != masks
    assert changed.with_concept(concepts[k], {name: arrays[name][k]}) == masks
    for other in set(arrays) - {name}:
        assert changed.packed[other] is masks.packed[other]


@given(boolean_masks(), st.data())
def test_every_bit_name_and_shape_is_in_the_fingerprint(case, data):
    concepts, arrays = case
    masks = MaskSet.from_bool(concepts, arrays)
    same = MaskSet.from_bool(concepts, {name: arrays[name].copy() for name in reversed(arrays)})
    assert (same.fingerprint(), hash(same), same) == (masks.fingerprint(), hash(masks), masks)

    name = data.draw(st.sampled_from(sorted(arrays)))
    position = data.draw(st.integers(0, arrays[name].size - 1))
    flipped = {n: array.copy() for n, array in arrays.items()}
    flipped[name].reshape(-1)[position] ^= True
    transposed = {**arrays, name: arrays[name].reshape(len(concepts), 1, -1)}
    for other in (
        MaskSet.from_bool(concepts, flipped),
        MaskSet.from_bool(tuple(f"{c}?" for c in concepts), arrays),
        MaskSet.from_bool(concepts, {f"{n}?": array for n, array in arrays.items()}),
        *([MaskSet.from_bool(concepts, transposed)] if arrays[name].shape[1] > 1 else []),
    ):
        assert other.fingerprint() != masks.fingerprint()
        assert other != masks


def test_a_known_case():
    masks = MaskSet.from_bool(
        ("food", "noise"),
        {"m": np.array([[[1, 1, 0], [0, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0], [1, 0, 1]]], bool)},
    )
    np.testing.assert_array_equal(
        masks.packed["m"], [[0b11000000, 0b10000000], [0b01000000 + 0b10, 0b10000000]]
    )
    assert masks.kept() == {"food": {"m": 3}, "noise": {"m": 3}}
    assert masks.sparsity() == {"food": pytest.approx(6 / 9), "noise": pytest.approx(6 / 9)}
    assert masks.overlap("food", "noise") == (2, 4)
    assert masks.jaccard() == {("food", "noise"): 0.5}


def test_ones_keep_everything_and_padding_bits_do_not_count():
    masks = MaskSet.ones(CONCEPTS, {"m": (3, 3)})
    assert masks.kept() == {name: {"m": 9} for name in CONCEPTS}
    assert set(masks.sparsity().values()) == {0.0}
    assert set(masks.jaccard().values()) == {1.0}


def test_empty_masks_are_equal_sets():
    masks = MaskSet.from_bool(("a", "b"), {"m": np.zeros((2, 2, 2), bool)})
    assert masks.jaccard() == {("a", "b"): 1.0}


def test_masks_cannot_be_written_to():
    masks = MaskSet.ones(CONCEPTS, {"m": (2, 2)})
    with pytest.raises(ValueError, match="read-only"):
        masks.packed["m"][0, 0] = 0
    with pytest.raises(AttributeError):
        masks.concepts = ("food",)


def test_not_equal_to_something_else():
    masks = MaskSet.ones(CONCEPTS, {"m": (2, 2)})
    assert masks != "masks"
    assert masks != MaskSet.ones(CONCEPTS, {"m": (2, 2), "n": (1, 1)})


@pytest.mark.parametrize(
    ("shapes", "packed", "problem"),
    [
        ({"m": (2, 2)}, {"n": np.zeros((3, 1), np.uint8)}, r"\['n'\]"),
        ({"m": (2, 2)}, {"m": np.zeros((3, 2), np.uint8)}, r"shape \(3, 2\); expected uint8 \(3, 1\)"),
        ({"m": (2, 2)}, {"m": np.zeros((2, 1), np.uint8)}, r"shape \(2, 1\)"),
        ({"m": (2, 2)}, {"m": np.zeros((3, 1), np.int8)}, "dtype int8"),
        # 4 weights fill the upper half of the byte; a bit below would be counted as kept
        ({"m": (2, 2)}, {"m": np.full((3, 1), 0b11110001, np.uint8)}, "bits beyond its 4 weights"),
    ],
)
def test_bits_that_do_not_fit_are_refused(shapes, packed, problem):
    with pytest.raises(CheckpointError, match=problem):
        MaskSet(CONCEPTS, shapes, packed)


def test_unknown_names_and_shapes_are_refused():
    masks = MaskSet.ones(CONCEPTS, {"m": (2, 3)})
    with pytest.raises(InputError, match="unknown concept 'price'; choose one of: food, service, noise"):
        masks.concept_bool("m", "price")
    with pytest.raises(InputError, match="unknown concept 'price'"):
        masks.overlap("food", "price")
    with pytest.raises(InputError, match="unknown matrix 'x'; choose one of: m"):
        masks.to_bool("x")
    with pytest.raises(InputError, match="unknown matrix 'x'"):
        masks.with_concept("food", {"x": np.ones((2, 3), bool)})
    with pytest.raises(InputError, match=r"shape \(3, 2\); expected \(2, 3\)"):
        masks.with_concept("food", {"m": np.ones((3, 2), bool)})


@pytest.mark.parametrize(("first", "second"), [(0.25, 0.25), (0.5, 0.1), (0.9, 0.7)])
def test_chance_jaccard_is_what_random_masks_have(first, second):
    rng = np.random.default_rng(0)
    a, b = (rng.permutation(200_000) < density * 200_000 for density in (first, second))
    assert chance_jaccard(first, second) == pytest.approx((a & b).sum() / (a | b).sum(), abs=0.003)


@given(st.floats(0, 1), st.floats(0, 1))
def test_chance_jaccard_is_a_symmetric_fraction(first, second):
    value = chance_jaccard(first, second)
    assert 0 <= value <= 1
    assert value == chance_jaccard(second, first)


def test_chance_jaccard_at_the_ends():
    assert chance_jaccard(1, 1) == chance_jaccard(0, 0) == 1
    assert chance_jaccard(0, 0.5) == 0
    assert chance_jaccard(1, 0.25) == 0.25

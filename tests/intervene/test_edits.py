"""Edits are XORs: they undo themselves, commute, and say exactly what they do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.edits import FlipCount, MaskEdit, net_edit
from sparsecbm_core.models.masks import MaskSet

CONCEPTS = ("food", "service", "noise")
SHAPES = {"a": (3, 5), "b": (2, 4), "c": (1, 1)}  # 15 bits leave one of padding; 8 none; 1 seven


def indices(name: str) -> st.SearchStrategy[list[int]]:
    rows, columns = SHAPES[name]
    return st.lists(st.integers(0, rows * columns - 1), unique=True)


MATRICES = st.fixed_dictionaries({}, optional={name: indices(name) for name in SHAPES})
EDITS = st.builds(MaskEdit, st.dictionaries(st.sampled_from(CONCEPTS), MATRICES))


@st.composite
def mask_sets(draw: st.DrawFn) -> MaskSet:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return MaskSet.from_bool(
        CONCEPTS, {name: rng.random((len(CONCEPTS), *shape)) < 0.4 for name, shape in SHAPES.items()}
    )


def kept(masks: MaskSet) -> int:
    return sum(sum(counts.values()) for counts in masks.kept().values())


@settings(max_examples=40)
@given(masks=mask_sets(), edit=EDITS)
def test_applied_twice_it_restores_every_bit(masks, edit):
    before = {name: bits.copy() for name, bits in masks.packed.items()}
    there = edit.apply(masks)
    back = edit.apply(there)
    assert back == masks
    assert back.fingerprint() == masks.fingerprint()
    assert (there == masks) == (edit.size == 0)
    for name, bits in before.items():
        np.testing.assert_array_equal(masks.packed[name], bits)
        np.testing.assert_array_equal(back.packed[name], bits)


@settings(max_examples=40)
@given(masks=mask_sets(), edit=EDITS)
def test_exactly_the_named_bits_flip(masks, edit):
    after = edit.apply(masks)
    for name in SHAPES:
        flipped = np.zeros((len(CONCEPTS), *SHAPES[name]), dtype=bool)
        for concept, matrix, chosen in edit:
            if matrix == name:
                flipped[CONCEPTS.index(concept)].reshape(-1)[chosen] = True
        np.testing.assert_array_equal(after.to_bool(name), masks.to_bool(name) ^ flipped)
        assert (after.packed[name] is masks.packed[name]) == (not flipped.any())


@settings(max_examples=40)
@given(masks=mask_sets(), first=EDITS, second=EDITS)
def test_edits_commute(masks, first, second):
    assert first.apply(second.apply(masks)) == second.apply(first.apply(masks))
    assert first ^ second == second ^ first
    assert (first ^ second).apply(masks) == first.apply(second.apply(masks))


@settings(max_examples=40)
@given(first=EDITS, second=EDITS, third=EDITS)
def test_edits_are_a_group(first, second, third):
    assert (first ^ second) ^ third == first ^ (second ^ third)
    assert first ^ MaskEdit({}) == first
    assert first ^ first == MaskEdit({})


@settings(max_examples=40)
@given(masks=mask_sets(), edit=EDITS)
def test_the_difference_is_the_edit(masks, edit):
    found = MaskEdit.between(masks, edit.apply(masks))
    assert found == edit
    assert hash(found) == hash(edit)
    assert MaskEdit.between(masks, masks).size == 0


@settings(max_examples=40)
@given(before=mask_sets(), after=mask_sets())
def test_any_two_mask_sets_are_an_edit_apart(before, after):
    assert MaskEdit.between(before, after).apply(before) == after
    assert MaskEdit.between(before, after) == MaskEdit.between(after, before)


@settings(max_examples=40)
@given(masks=mask_sets(), edit=EDITS)
def test_counts_add_up(masks, edit):
    counts, after = edit.counts(masks), edit.apply(masks)
    assert sum(count.dropped + count.grown for count in counts) == edit.size
    assert sum(count.grown - count.dropped for count in counts) == kept(after) - kept(masks)
    for count in counts:
        before, now = (m.concept_bool(count.matrix, count.concept).astype(int).sum() for m in (masks, after))
        assert count.grown - count.dropped == now - before
    undone = edit.counts(after)
    assert [(count.grown, count.dropped) for count in undone] == [(c.dropped, c.grown) for c in counts]


@settings(max_examples=40)
@given(edits=st.lists(EDITS, max_size=5), masks=mask_sets(), data=st.data())
def test_a_chain_can_lose_any_link(edits, masks, data):
    order = data.draw(st.permutations(edits))
    assert net_edit(order) == net_edit(edits)
    total = MaskEdit({})
    for edit in edits:
        total, masks_then = total ^ edit, masks
    assert net_edit(edits) == total
    if edits:
        lost = data.draw(st.integers(0, len(edits) - 1))
        masks_then = net_edit(edits).apply(masks)
        rest = net_edit(edit for place, edit in enumerate(edits) if place != lost)
        assert edits[lost].apply(masks_then) == rest.apply(masks)


@settings(max_examples=40)
@given(first=EDITS, second=EDITS, masks=mask_sets())
def test_shared_bits(first, second, masks):
    assert first.shared(second) == second.shared(first)
    assert first.shared(first) == first.size
    assert (first ^ second).size == first.size + second.size - 2 * first.shared(second)
    # What undoing the first would have moved without the second, and how far that can be off.
    alone = kept(masks) - kept(first.apply(masks))
    both = second.apply(first.apply(masks))
    moved = kept(first.apply(both)) - kept(both)
    assert abs(moved - alone) <= 2 * first.shared(second)


def test_by_hand():
    masks = MaskSet.from_bool(
        ("food",), {"a": np.array([[[1, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1]]], dtype=bool)}
    )
    edit = MaskEdit({"food": {"a": [0, 1, 9]}})
    assert edit.counts(masks) == [FlipCount("food", "a", dropped=2, grown=1)]
    after = edit.apply(masks)
    assert after.to_bool("a").astype(int).tolist() == [[[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 1]]]
    assert after.packed["a"].tolist() == [[0b01000001, 0b10110000]]
    assert (edit.size, edit.concepts) == (3, ("food",))


def test_an_edit_is_a_value_of_its_own():
    chosen = np.array([5, 1])
    edit = MaskEdit({"food": {"a": chosen}, "noise": {"a": []}})
    chosen[:] = 7
    assert edit.flips["food"]["a"].tolist() == [1, 5]
    assert edit.concepts == ("food",)
    with pytest.raises(ValueError, match="read-only"):
        edit.flips["food"]["a"][0] = 2
    assert edit == MaskEdit({"food": {"a": np.array([1, 5], dtype=np.uint8)}})
    assert edit != MaskEdit({"noise": {"a": [1, 5]}})
    assert edit != "an edit"


@pytest.mark.parametrize(
    ("flips", "fragment"),
    [
        ([1, 1], "name a weight twice"),
        ([3, -1], "negative index -1"),
        ([0.5], "whole numbers, got float64"),
        ([True], "whole numbers, got bool"),
        ([[1, 2]], r"of shape \(1, 2\)"),
        (["1"], "whole numbers"),
        (np.array([2**63 + 1], dtype=np.uint64), "negative index"),
    ],
)
def test_flips_that_are_none(flips, fragment):
    with pytest.raises(InputError, match=fragment):
        MaskEdit({"food": {"a": flips}})


@pytest.mark.parametrize(
    ("flips", "fragment"),
    [
        ({"price": {"a": [1]}}, "unknown concept 'price'; choose one of: food, service, noise"),
        ({"food": {"z": [1]}}, "unknown matrix 'z'; choose one of: a, b, c"),
        ({"food": {"a": [15]}}, "a has 15 weights; the edit names weight 15"),
    ],
)
def test_an_edit_of_weights_that_are_not_there(flips, fragment):
    masks = MaskSet.ones(CONCEPTS, SHAPES)
    for call in (MaskEdit(flips).apply, MaskEdit(flips).counts):
        with pytest.raises(InputError) as caught:
            call(masks)
        assert fragment in str(caught.value)


def test_mask_sets_of_different_models_have_no_difference():
    masks = MaskSet.ones(CONCEPTS, SHAPES)
    for other in (MaskSet.ones(("food",), SHAPES), MaskSet.ones(CONCEPTS, {"a": (3, 5)})):
        with pytest.raises(InputError, match="no difference"):
            MaskEdit.between(masks, other)

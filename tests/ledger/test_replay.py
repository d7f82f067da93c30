"""Any history of corrections gives the model under the XOR of the active ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecbm_core.errors import LedgerError
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.scope import Signature
from sparsecbm_core.ledger import Ledger
from tests.ledger.made import patch_of, random_edit
from tests.tiny import REVIEW, make_tiny

STEP = st.tuples(st.sampled_from(["add", "revert", "restore"]), st.integers(0, 5))


def keep(ledger, model, edit, **values):
    return ledger.add(patch_of(edit, model=model.fingerprint, concept=edit.concepts[0], **values))


def kept_weights(masks):
    return sum(sum(counts.values()) for counts in masks.kept().values())


@given(steps=st.lists(STEP, max_size=12))
@settings(max_examples=25)
def test_any_history_is_the_xor_of_the_active_edits(tiny_model, steps):
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "l.sqlite3") as ledger:
        ids: list[int] = []
        active: set[int] = set()
        for action, number in steps:
            if action == "add":
                ids.append(keep(ledger, tiny_model, random_edit(tiny_model, len(ids))).id)
                active.add(ids[-1])
            elif ids:
                chosen = ids[number % len(ids)]
                (ledger.revert if action == "revert" else ledger.restore)(chosen)
                (active.discard if action == "revert" else active.add)(chosen)
        expected = tiny_model.masks
        for place, id in enumerate(ids):
            if id in active:
                expected = random_edit(tiny_model, place).apply(expected)
        replayed = ledger.replay(tiny_model)
        assert replayed.masks == expected
        assert replayed.masks.fingerprint() == expected.fingerprint()


def test_the_replayed_model_reads_as_its_masks_say(ledger, tiny_model):
    for seed in range(4):
        keep(ledger, tiny_model, random_edit(tiny_model, seed))
    ledger.revert(2)
    replayed = ledger.replay(tiny_model)
    fresh = tiny_model.cbm.weights_for(replayed.masks)
    torch.testing.assert_close(
        replayed.predict([REVIEW]).concept_logits, tiny_model.predict([REVIEW], weights=fresh).concept_logits
    )
    for id in (1, 3, 4):
        ledger.revert(id)
    assert ledger.replay(tiny_model) is tiny_model


def test_a_correction_for_similar_reviews_plays_a_part_for_these_alone(ledger, tiny_model):
    everywhere, similar, reverted = (random_edit(tiny_model, seed) for seed in range(3))
    keep(ledger, tiny_model, everywhere)
    keep(ledger, tiny_model, similar, signature=Signature.of(REVIEW))
    keep(ledger, tiny_model, reverted, signature=Signature.of(REVIEW))
    ledger.revert(3)
    alone = everywhere.apply(tiny_model.masks)
    assert ledger.replay(tiny_model).masks == alone
    assert ledger.replay(tiny_model, "Loud music all evening.").masks == alone
    assert ledger.replay(tiny_model, REVIEW).masks == similar.apply(alone)
    ledger.revert(1)
    assert ledger.replay(tiny_model) is tiny_model
    assert ledger.replay(tiny_model, REVIEW).masks == similar.apply(tiny_model.masks)


def test_corrections_of_other_models_play_no_part(ledger, tiny_model):
    other = make_tiny("bert", seed=1)
    keep(ledger, other, random_edit(other, 0))
    assert ledger.replay(tiny_model) is tiny_model
    assert ledger.replay(other).masks != other.masks
    dense = make_tiny("bert", density=None)
    assert ledger.replay(dense) is dense


@pytest.mark.parametrize(
    ("edit", "fragment"),
    [
        (MaskEdit({"price": {"x": [1]}}), "unknown concept 'price'"),
        (MaskEdit({"food": {"x": [1]}}), "unknown matrix 'x'"),
    ],
)
def test_a_correction_that_does_not_fit_is_not_left_out(ledger, tiny_model, edit, fragment):
    keep(ledger, tiny_model, random_edit(tiny_model, 0))
    keep(ledger, tiny_model, edit)
    with pytest.raises(LedgerError, match=f"correction 2 does not fit.*{fragment}"):
        ledger.replay(tiny_model)


def balanced_edit(masks, concept, rng):
    """As many kept weights dropped as pruned ones grown, as interventions do."""
    matrix = sorted(masks.shapes)[0]
    bits = masks.concept_bool(matrix, concept).reshape(-1)
    chosen = [rng.choice(np.flatnonzero(bits == kept), 20, replace=False) for kept in (True, False)]
    return MaskEdit({concept: {matrix: np.concatenate(chosen)}})


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 5), position=st.integers(0, 4))
@settings(max_examples=25)
def test_overlaps_say_what_a_revert_does_to_the_sparsity(tiny_model, seed, count, position):
    rng, masks, edits = np.random.default_rng(seed), tiny_model.masks, []
    for _ in range(count):
        edits.append(balanced_edit(masks, "food", rng))
        masks = edits[-1].apply(masks)
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "l.sqlite3") as ledger:
        for edit in edits:
            keep(ledger, tiny_model, edit)
        id = position % count + 1
        found = ledger.overlaps(id, tiny_model)
        assert {item.id: item.shared for item in found.later} == {
            place + 1: edits[id - 1].shared(edit)
            for place, edit in enumerate(edits)
            if place >= id and edits[id - 1].shared(edit)
        }
        assert ledger.overlaps(id).kept is None
        ledger.revert(id)
        after = ledger.replay(tiny_model).masks
        assert found.kept == kept_weights(after) - kept_weights(masks)
        assert abs(found.kept) <= 2 * found.bits
        assert ledger.overlaps(id, tiny_model).kept == -found.kept


def test_overlaps_by_hand(ledger, tiny_model):
    """The second flips back two bits of the first, of which one was dropped: three weights stay changed."""
    matrix = sorted(tiny_model.masks.shapes)[0]
    bits = tiny_model.masks.concept_bool(matrix, "food").reshape(-1)
    (a, b, c), (d, e, f) = (np.flatnonzero(bits == kept)[:3] for kept in (True, False))
    first = MaskEdit({"food": {matrix: [a, b, d, e]}})
    second = MaskEdit({"food": {matrix: [a, c, f]}})
    third = MaskEdit({"noise": {matrix: [a, b]}})
    for edit in (first, second, third):
        keep(ledger, tiny_model, edit)
    found = ledger.overlaps(1, tiny_model)
    # Reverting drops a (kept again by the second), grows b, drops d and e.
    assert found.to_dict() == {"id": 1, "later": ({"id": 2, "shared": 1},), "bits": 1, "kept": -2}
    assert ledger.overlaps(2, tiny_model).bits == 0
    ledger.revert(2)
    assert ledger.overlaps(1, tiny_model).later == ()
    assert ledger.overlaps(1, tiny_model).kept == 0


def test_overlaps_refuse_another_model(ledger, tiny_model):
    keep(ledger, tiny_model, random_edit(tiny_model, 0))
    with pytest.raises(LedgerError, match="made for model"):
        ledger.overlaps(1, make_tiny("bert", seed=1))

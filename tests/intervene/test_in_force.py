"""Which corrections fire for a text, and that it is read under exactly those."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.edits import MaskEdit, net_edit
from sparsecbm_core.intervene.in_force import (
    corrected_model,
    edits_for,
    firing,
    groups,
    predict_scoped,
)
from sparsecbm_core.intervene.scope import Signature
from tests.ledger.made import patch_of, random_edit
from tests.tiny import make_tiny

REVIEW = "The soup was cold, but the waiter didn't mind: a well-cooked meal after all!"
EDITED = REVIEW.replace("cold", "good")
OTHER = "Loud music and slow service; we went for great noise."
TEXTS = (REVIEW, EDITED, OTHER, "the food was great and the music was too loud")


def made(model, seed, text=None):
    """A random patch; for reviews like ``text`` alone where one is given."""
    signature = None if text is None else Signature.of(text)
    return patch_of(random_edit(model, seed), model=model.fingerprint, signature=signature)


def fires(patch, text):
    return bool(firing(text, [patch]))


def test_everywhere_fires_for_all(tiny_model):
    patch = made(tiny_model, 0)
    assert [firing(text, [patch]) for text in TEXTS] == [(patch,)] * 4
    assert fires(patch, OTHER)


def test_a_review_is_looked_at_once(tiny_model, monkeypatch):
    """A page asks again whenever it is drawn."""
    patch, text, seen = made(tiny_model, 0, REVIEW), "The soup was cold, and nobody minded.", []
    monkeypatch.setattr(Signature, "of", lambda text, of=Signature.of: seen.append(text) or of(text))
    assert len({fires(patch, text) for _ in range(3)}) == 1
    assert firing(text, [patch, patch]) == 2 * firing(text, [patch])
    assert seen == [text]


def test_similar_fires_for_the_review_and_its_edits(tiny_model):
    patch = made(tiny_model, 0, REVIEW)
    assert [fires(patch, text) for text in TEXTS] == [True, True, False, False]
    assert [edits_for(text, [patch]).size for text in TEXTS] == [patch.edit.size] * 2 + [0, 0]


def test_both_scopes_in_one_chain(tiny_model):
    chain = [made(tiny_model, 0, OTHER), made(tiny_model, 1), made(tiny_model, 2, REVIEW)]
    assert firing(EDITED, chain) == (chain[1], chain[2])
    assert firing(OTHER, chain) == (chain[0], chain[1])
    assert edits_for(EDITED, chain) == chain[1].edit ^ chain[2].edit
    assert groups(TEXTS, chain) == {
        chain[1].edit ^ chain[2].edit: [0, 1],
        chain[0].edit ^ chain[1].edit: [2],
        chain[1].edit: [3],
    }


@given(chosen=st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, *TEXTS])), max_size=5))
@settings(max_examples=20)
def test_groups_and_predictions_are_those_of_each_text_alone(tiny_model, chosen):
    patches = [made(tiny_model, seed, text) for seed, text in chosen]
    found = groups(TEXTS, patches)
    assert sorted(i for indices in found.values() for i in indices) == [0, 1, 2, 3]
    together = predict_scoped(tiny_model, TEXTS, patches)
    for edit, indices in found.items():
        alone = corrected_model(tiny_model, edit)
        for i in indices:
            assert edit == edits_for(TEXTS[i], patches)
            assert edit == net_edit(patch.edit for patch in patches if fires(patch, TEXTS[i]))
            said = alone.predict([TEXTS[i]])
            torch.testing.assert_close(together.concept_logits[i], said.concept_logits[0])
            torch.testing.assert_close(together.label_logits[i], said.label_logits[0])


def test_patches_that_undo_each_other_join_their_groups(tiny_model):
    patch = made(tiny_model, 0, REVIEW)
    assert groups(TEXTS, [patch, patch]) == {MaskEdit({}): [0, 1, 2, 3]}


def test_without_patches_it_is_the_model(tiny_model):
    np.testing.assert_array_equal(
        predict_scoped(tiny_model, TEXTS, []).concept_logits, tiny_model.predict(TEXTS).concept_logits
    )
    assert groups(TEXTS, []) == {MaskEdit({}): [0, 1, 2, 3]}


def test_refusals(tiny_model):
    patch = made(tiny_model, 0, REVIEW)
    with pytest.raises(InputError, match="no text given"):
        predict_scoped(tiny_model, [], [patch])
    with pytest.raises(InputError, match="empty text"):
        firing(" ", [patch])
    with pytest.raises(InputError, match="no masks to edit"):
        predict_scoped(make_tiny("bert", density=None), [REVIEW], [patch])

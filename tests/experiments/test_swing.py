"""Corrections to and fro: what is counted is what happened, and the verdict follows from the counts."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.experiments import swing as module
from sparsecbm_core.experiments.back_and_forth import _settled_after, summary, verdict
from sparsecbm_core.experiments.experiment import Measured
from sparsecbm_core.experiments.swing import Dispute, disputes, swing
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.in_force import corrected_model
from tests.tiny import with_masks
from tests.toy import toy_reviews


@pytest.fixture(scope="module")
def guard():
    return toy_reviews(12, "guard")


@pytest.fixture(scope="module")
def baseline(tiny_model, guard):
    return GuardBaseline.read(tiny_model, guard)


def test_disputes_are_drawn_by_the_seed_from_what_the_model_reads(tiny_model):
    pool = toy_reviews(20, "pool")
    found = disputes(tiny_model, pool, 8, seed=3)
    assert found == disputes(tiny_model, pool, 8, seed=3) != disputes(tiny_model, pool, 8, seed=4)
    said = tiny_model.predict([item.text for item in found]).concept_logits
    for item, logits in zip(found, said, strict=True):
        assert logits[item.k].argsort(descending=True).tolist()[:2] == [item.home, item.away]
    assert [found[0].wanted(number) for number in (1, 2, 3)] == [found[0].away, found[0].home, found[0].away]
    with pytest.raises(InputError, match="20 reviews are left to correct, and 21 are asked for"):
        disputes(tiny_model, pool, 21, 0)


def test_rounds_are_those_of_corrections_made_one_by_one(tiny_model, baseline, guard):
    chosen = disputes(tiny_model, toy_reviews(20, "pool"), 2, seed=0)
    before = tiny_model.fingerprint
    found = swing(tiny_model, chosen, "signed", 4, 3, None, baseline)
    current, edits, space = tiny_model, [MaskEdit({})], tiny_model.space
    for number in range(1, 5):
        flipped = reached = 0
        for item in chosen:
            done = intervene(
                current, item.text, space.concepts[item.k], space.states[item.wanted(number)], "signed"
            )
            current, flipped, reached = done.corrected, flipped + done.edit.size, reached + done.again
        edits.append(MaskEdit.between(tiny_model.masks, current.masks))
        here = {name: values[number - 1] for name, values in found.columns.items()}
        assert (here["flipped"], here["reached"], here["drift"]) == (flipped, reached, edits[-1].size)
        assert here["moved"] == (None if number == 1 else (edits[-1] ^ edits[-3]).size)
        said = current.predict([item.text for item in chosen]).states
        held = [int(said[i, item.k]) == item.wanted(number) for i, item in enumerate(chosen)]
        assert here["held"] == sum(held)
    assert [point.rounds for point in found.others] == [0, 3, 4]
    for point, model in ((found.others[0], tiny_model), (found.others[-1], current)):
        ks = sorted({item.k for item in chosen})
        said = model.predict(guard.texts)
        assert point.concept == pytest.approx((said.states.numpy() == gold_states(guard))[:, ks].mean(1))
        assert (point.label == (said.labels.numpy() == gold_labels(guard))).all()
    assert tiny_model.fingerprint == before


def test_a_correction_that_finds_the_way_back_returns_exactly(tiny_model, baseline, monkeypatch):
    """A rule that flips the same bits every time is back at the start after every second round."""
    matrix = next(iter(tiny_model.masks.shapes))
    edit = MaskEdit({tiny_model.space.concepts[1]: {matrix: np.array([0, 5, 9])}})

    def flip(model, text, concept, state, *rest):
        after = SimpleNamespace(states={state: 0.75})
        return SimpleNamespace(corrected=corrected_model(model, edit), edit=edit, again=True, after=after)

    monkeypatch.setattr(module, "intervene", flip)
    found = swing(tiny_model, [Dispute("soup", 1, 0, 1)], "signed", 5, 9, None, baseline)
    assert found.columns["drift"] == [3, 0, 3, 0, 3]
    assert found.columns["moved"] == [None, 0, 0, 0, 0]
    assert found.columns["probability"] == [0.75] * 5
    assert len(found.seconds) == 5
    assert [point.rounds for point in found.others] == [0, 5]


def test_a_dense_model_has_nothing_to_swing(tiny_model, baseline):
    with pytest.raises(InputError, match="no masks to correct"):
        swing(with_masks(tiny_model, None), [], "signed", 4, 1, None, baseline)


@pytest.mark.parametrize(
    ("moved", "after"),
    [
        ([None, 0, 0, 0], 0),
        ([None, 4, 2, 0, 0], 2),
        ([None, 4, 0, 2, 0], None),
        ([None, 0, 0, 3], None),
        ([None, 0], None),
    ],
)
def test_when_the_masks_began_to_repeat(moved, after):
    assert _settled_after(moved) == after


ROW = {
    "settled": 0.0,
    "drift_half": 100.0,
    "drift_end": 105.0,
    "reached_first": 1.0,
    "reached_last": 1.0,
    "concept_change": {"high": 0.01},
    "label_change": {"high": 0.0},
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "the masks stay near, without repeating; every correction still works; no loss shown"),
        ({"settled": 0.95, "drift_end": 900.0}, "the masks repeat exactly"),
        ({"drift_end": 111.0}, "the masks drift on"),
        ({"reached_last": 0.9}, "corrections fail more often"),
        ({"reached_first": 0.8, "reached_last": 0.9}, "some corrections fail, from the start"),
        ({"label_change": {"high": -0.001}}, "other reviews get worse (label)"),
        ({"concept_change": {"high": None}}, "no loss shown on other reviews"),
    ],
)
def test_the_verdict_follows_from_the_figures(changed, said):
    assert said in verdict({**ROW, **changed})


def test_the_summary_is_per_correction_and_per_model():
    """Two models of one dispute each; the second is in a cycle."""
    change = {"value": 0.0, "low": 0.0, "high": 0.0}
    first = {
        "reached": [1, 1, 1, 0],
        "held": [1, 1, 1, 0],
        "probability": [0.6] * 4,
        "flipped": [10, 4, 4, 4],
        "drift": [10, 8, 12, 10],
        "moved": [None, 8, 4, 2],
    }
    second = {**first, "reached": [1] * 4, "drift": [10, 0, 10, 0], "moved": [None, 0, 0, 0]}
    result = {
        "disputes": 2,
        "prunable_weights": 99,
        "swings": [first, second],
        "others": {"rounds": [0, 4], "concept": [0.5, 0.5], "label": [0.5, 0.5]},
        "concept_change": change,
        "label_change": change,
        "seconds_median": 1.0,
    }
    (row,) = summary([Measured({"way": "alone", "rule": "signed", "seed": 0}, result)])["rows"]
    assert row["curves"]["reached"] == [1, 1, 1, 0.5]
    assert row["curves"]["returned"] == [None, 0.5, 0.5, 0.5]
    assert (row["reached_last"], row["flipped_first"], row["flipped_last"]) == (0.75, 7, 4)
    assert (row["drift_half"], row["drift_end"], row["home"], row["settled"]) == (4, 5, 0.5, 0.5)
    assert row["settled_after"] == 0
    # The same two disputes in one model: counts are shared out, bits are the model's.
    together = {**result, "swings": [{**first, "reached": [2, 2, 2, 1], "held": [2, 2, 2, 1]}]}
    (row,) = summary([Measured({"way": "together", "rule": "signed", "seed": 0}, together)])["rows"]
    assert row["curves"]["reached"] == [1, 1, 1, 0.5]
    assert (row["flipped_first"], row["drift_end"]) == (3.5, 10)

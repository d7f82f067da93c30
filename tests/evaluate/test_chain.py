"""Accuracy along a chain: each point is what a full reading under the first corrections gives."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.chain import (
    ChainAccuracy,
    ChainPoint,
    chain_points,
    reviews_of,
)
from sparsecbm_core.evaluate.chain import read_under as plain_read
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.intervene.edits import MaskEdit, net_edit
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.in_force import corrected_model, predict_scoped
from sparsecbm_core.intervene.scope import Signature
from tests.ledger.made import patch_of
from tests.toy import toy_reviews

COUNT = 12
CHAIN = ("food", "service", "noise", "service", "food")


@pytest.fixture(scope="module")
def baseline(tiny_model):
    return GuardBaseline.read(tiny_model, toy_reviews(COUNT, space=tiny_model.space))


@pytest.fixture(scope="module")
def edits(tiny_model):
    """Coarse ones, which change readings for sure; two of food and two of service."""
    return [coarse(tiny_model, concept, seed) for seed, concept in enumerate(CHAIN)]


def coarse(model, concept, seed):
    """Half of all of a concept's bits."""
    rng = np.random.default_rng(seed)
    sizes = {name: rows * columns for name, (rows, columns) in model.masks.shapes.items()}
    return MaskEdit(
        {concept: {name: rng.choice(size, size // 2, replace=False) for name, size in sizes.items()}}
    )


def expected(model, reviews, edit):
    """(concept accuracies, label accuracy) of a model under an edit, read in full."""
    said = corrected_model(model, edit).predict(reviews.texts)
    right = said.states.numpy() == gold_states(reviews)
    return right, said.labels.numpy() == gold_labels(reviews)


def test_each_point_is_that_of_a_full_reading(tiny_model, baseline, edits):
    points = list(chain_points(baseline, edits))
    assert [point.corrections for point in points] == list(range(len(edits) + 1))
    for point in points:
        right, label = expected(tiny_model, baseline.reviews, net_edit(edits[: point.corrections]))
        assert list(point.concepts.values()) == pytest.approx(list(right.mean(axis=0)))
        assert point.concept == pytest.approx(right.mean())
        assert point.label == pytest.approx(label.mean())
    assert len({(point.concept, point.label) for point in points}) > 1
    assert points[0].changed == ()
    assert [point.changed for point in points[1:]] == [edit.concepts for edit in edits]


def test_only_what_an_edit_changed_is_read_and_a_net_of_nothing_not_at_all(baseline, edits):
    seen = []

    def read(own, edit, concept, reviews):
        seen.append((edit.concepts, concept, list(reviews), edit.size))
        return plain_read(own, edit, concept, reviews)

    first = edits[0]
    points = list(chain_points(baseline, [first, first], read=read))
    everyone = list(range(COUNT))
    assert seen == [(first.concepts, "food", everyone, first.size), ((), "food", everyone, 0)]
    assert (points[2].concepts, points[2].label) == (points[0].concepts, points[0].label)


def test_an_edit_for_some_reviews_leaves_the_others_as_they_were(tiny_model, baseline, edits):
    a, b, c = edits[0], edits[4], edits[1]
    active = [None, [0, 1, 2], [2, 3]]
    *_, last = chain_points(baseline, [a, b, c], active)
    nets = {i: [a] for i in range(COUNT)}
    for i in active[1]:
        nets[i] = [*nets[i], b]
    for i in active[2]:
        nets[i] = [*nets[i], c]
    concepts, labels = [], []
    for i in range(COUNT):
        right, label = expected(tiny_model, baseline.reviews, net_edit(nets[i]))
        concepts.append(right[i])
        labels.append(label[i])
    assert last.concept == pytest.approx(sum(map(sum, concepts)) / (COUNT * 3))
    assert last.label == pytest.approx(sum(labels) / COUNT)


def test_patches_for_similar_reviews_change_those_alone(tiny_model, baseline, edits):
    texts = baseline.reviews.texts
    patches = [
        patch_of(
            edit,
            model=tiny_model.fingerprint,
            concept=edit.concepts[0],
            signature=None if i == 1 else Signature.of(texts[i]),
        )
        for i, edit in enumerate([edits[0], edits[1], edits[4]])
    ]
    chain = [patch.edit for patch in patches]
    *_, last = chain_points(baseline, chain, reviews_of(baseline, patches))
    said = predict_scoped(tiny_model, texts, patches)
    assert last.concept == pytest.approx((said.states.numpy() == gold_states(baseline.reviews)).mean())
    assert last.label == pytest.approx((said.labels.numpy() == gold_labels(baseline.reviews)).mean())
    *_, everywhere = chain_points(baseline, chain)
    assert (last.concepts["food"], last.label) != (everywhere.concepts["food"], everywhere.label)


def test_points_come_one_by_one(baseline, edits):
    points = chain_points(baseline, edits)
    assert (next(points).corrections, next(points).corrections) == (0, 1)


def test_the_model_stays_as_it_was(tiny_model, baseline, edits):
    before = tiny_model.masks.fingerprint(), baseline.concept_logits.clone()
    list(chain_points(baseline, edits[:2]))
    assert tiny_model.masks.fingerprint() == before[0]
    assert bool((baseline.concept_logits == before[1]).all())


def test_rows_and_json_hold_the_same_numbers():
    start = ChainPoint(0, (), {"food": 0.5, "noise": 0.25}, 0.375, 0.5)
    after = ChainPoint(1, ("noise",), {"food": 0.5, "noise": 0.5}, 0.5, 0.75)
    found = ChainAccuracy("toy dev", 4, (start, after))
    assert found.changed == ("noise",)
    assert found.rows()[1] == {
        "corrections": 1,
        "changed": "noise",
        "label": 0.75,
        "all_concepts": 0.5,
        "food": 0.5,
        "noise": 0.5,
    }
    assert json.loads(json.dumps(found.to_dict()))["points"][1]["concepts"] == {"food": 0.5, "noise": 0.5}


def test_what_does_not_fit_is_refused(baseline, edits):
    with pytest.raises(InputError, match="unknown matrix 'elsewhere'"):
        list(chain_points(baseline, [MaskEdit({"food": {"elsewhere": [1]}})]))
    with pytest.raises(InputError, match="2 edits need as many lists of reviews, got 1"):
        list(chain_points(baseline, edits[:2], active=[None]))

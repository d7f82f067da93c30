"""What else changed: tallies worked out by hand, and only what can have changed read again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.guard import Change, GuardBaseline, Tally
from tests.tiny import REVIEW
from tests.toy import dataset, toy_reviews


@pytest.fixture(scope="module")
def reviews(tiny_model):
    return toy_reviews(24, space=tiny_model.space)


@pytest.fixture(scope="module")
def done(tiny_model):
    """A coarse correction, which changes other reviews for sure."""
    return intervene(tiny_model, REVIEW, "food", "Positive", rule="random", r=0.2)


def test_reading_one_subnetwork_is_reading_all(tiny_model, reviews, done):
    baseline = GuardBaseline.read(tiny_model, reviews)
    after = baseline.at(done.corrected, ("food",)).concept_logits
    torch.testing.assert_close(after, done.corrected.predict(reviews.texts).concept_logits)
    assert not torch.allclose(after, baseline.concept_logits)


def test_the_tallies_are_those_of_two_full_readings(tiny_model, reviews, done):
    report = GuardBaseline.read(tiny_model, reviews).report(done.corrected, ("food",))
    first, second = (m.predict(reviews.texts) for m in (tiny_model, done.corrected))
    gold = torch.tensor([example.concepts for example in reviews])
    labels = torch.tensor([example.label for example in reviews])
    pairs = {
        "concept": (gold[:, :1], first.states[:, :1], second.states[:, :1]),
        "other_concepts": (gold[:, 1:], first.states[:, 1:], second.states[:, 1:]),
        "label": (labels, first.labels, second.labels),
    }
    for name, (right, before, after) in pairs.items():
        tally = getattr(report, name)
        assert tally.unchanged == int((before == after).sum())
        assert tally.fixed == int(((before != right) & (after == right)).sum())
        assert tally.broken == int(((before == right) & (after != right)).sum())
        assert tally.accuracy_before == pytest.approx(float((before == right).float().mean()))
        assert tally.accuracy_delta == pytest.approx((tally.fixed - tally.broken) / tally.total)
    assert report.other_concepts.unchanged_share == 1.0
    changed = sum(t.total - t.unchanged for t in (report.concept, report.other_concepts, report.label))
    assert len(report.changes) == changed > 0
    assert set(report.summary()) == set(report.to_dict()) - {"changes"}


def test_a_change_names_review_target_and_kind(tiny_model, reviews, done):
    report = GuardBaseline.read(tiny_model, reviews).report(done.corrected, ("food",))
    by_id = {example.id: example for example in reviews}
    for change in report.changes:
        names = tiny_model.space.labels if change.target == "label" else tiny_model.space.states
        example = by_id[change.review]
        k = None if change.target == "label" else tiny_model.space.concept_index(change.target)
        assert change.gold == names[example.label if k is None else example.concepts[k]]
        kind = {change.after: "fixed", change.before: "broken"}.get(change.gold, "changed")
        assert change == Change(change.review, change.target, change.gold, change.before, change.after, kind)


def test_nothing_changed(tiny_model, reviews):
    report = GuardBaseline.read(tiny_model, reviews).report(tiny_model, ("food",))
    assert report.changes == ()
    assert report.concept == Tally(24, 24, 0, 0, *[report.concept.accuracy_before] * 2)


def test_of_no_predictions_none_changed():
    assert Tally(0, 0, 0, 0, 0.0, 0.0).unchanged_share == 1.0
    assert Tally(4, 3, 1, 0, 0.5, 0.75).unchanged_share == 0.75


def test_an_empty_guard_set_or_one_of_other_concepts(tiny_model, reviews):
    with pytest.raises(InputError, match="guard set is empty"):
        GuardBaseline.read(tiny_model, dataset([], space=tiny_model.space))
    space = ConceptSpace(("food", "price", "noise"), tiny_model.space.states, tiny_model.space.labels)
    order = replace(tiny_model.space, states=("Positive", "Negative", "unknown"))
    for other in (space, order):
        with pytest.raises(InputError, match="other concepts, states or labels"):
            GuardBaseline.read(tiny_model, replace(reviews, space=other))

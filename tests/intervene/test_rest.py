"""The rest of a review corrected by its label: the same rules on the rest's mask."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.intervene.profile import compute_profile
from tests.tiny import REVIEW, SPACE, make_tiny
from tests.toy import toy_reviews


@pytest.fixture(autouse=True)
def small_models_need_larger_shares(monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)


@pytest.fixture(scope="module")
def honest_model():
    """Its rest has enough to say to move a random model's label."""
    model = make_tiny("bert", head="honest")
    with torch.no_grad():
        model.cbm.classifier_rest.fill_(20.0)
    return model


@pytest.fixture(scope="module")
def other_end(honest_model):
    """The best label, or the worst where that is the answer: the ends can always be reached."""
    found = int(honest_model.predict([REVIEW]).labels[0])
    return SPACE.labels[0 if found == len(SPACE.labels) - 1 else -1]


def test_the_label_follows_and_no_concept_moves(honest_model, other_end):
    profile = compute_profile(honest_model, [example.text for example in toy_reviews(8)])
    assert set(profile.rows) == {*SPACE.concepts, "rest"}
    done = intervene(honest_model, REVIEW, "rest", other_end, rule="signed", confidence=0.0)
    assert done.outcome == "reached"
    assert done.after.label == done.after.state == other_end
    assert done.edit.concepts == ("rest",)
    assert done.dropped == done.grown > 0
    before, after = (model.predict([REVIEW]) for model in (honest_model, done.corrected))
    assert (before.concept_logits == after.concept_logits).all()
    assert SPACE.labels[int(after.labels[0])] == other_end


def test_it_is_a_patch_and_has_a_guard_report(honest_model, other_end, tmp_path):
    done = intervene(honest_model, REVIEW, "rest", other_end, rule="signed", confidence=0.0)
    report = GuardBaseline.read(honest_model, toy_reviews(6)).report(done.corrected, ("rest",))
    assert report.concept.total == 0
    assert report.other_concepts.unchanged_share == 1.0
    patch = Patch.of(done, honest_model, "2026-01-01T00:00:00+00:00", report)
    patch.save(tmp_path / "fix.safetensors")
    again = Patch.load(tmp_path / "fix.safetensors")
    again.check(honest_model)
    assert (again.concept, again.state) == ("rest", other_end)


def test_what_cannot_be_said_of_it(honest_model, tiny_model):
    with pytest.raises(InputError, match="unknown label 'Positive'; choose one of: 1, 2, 3, 4"):
        intervene(honest_model, REVIEW, "rest", "Positive", rule="signed")
    with pytest.raises(InputError, match="unknown concept 'rest'"):
        intervene(tiny_model, REVIEW, "rest", "1", rule="signed")

"""One attempt: correct, look for a gentler way, report; nothing is taken over by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.in_force import corrected_model
from sparsecbm_core.session.attempt import correct
from sparsecbm_core.session.corrected import Caches, holding, model_under, net
from sparsecbm_core.session.correction import NEVER, Attempt, Request, Settings
from sparsecbm_core.session.guard import Guard
from tests.session.conftest import other_state
from tests.tiny import REVIEW


def test_a_reached_correction_can_be_taken_over(base, made, request_):
    correction = made.correction
    assert correction is not None
    assert made.intervention.outcome == "reached"
    assert made.intervention.corrected is base  # a session keeps flips, never weights
    assert (correction.text, correction.patch.text) == (REVIEW, None)
    assert (correction.patch.model, correction.patch.concept) == (base.fingerprint, "food")
    logits = model_under(base, [correction], Caches()).predict([REVIEW]).concept_logits
    assert int(logits[0, 0].argmax()) == base.space.state_index(request_.state)


def test_its_report_is_what_reading_everything_again_would_say(base, reviews, made):
    pristine = GuardBaseline.read(base, reviews)
    exact = pristine.report(corrected_model(base, made.correction.patch.edit), ("food",))
    assert made.correction.report == exact
    assert made.correction.patch.guard == exact.summary()
    assert made.correction.guard == reviews.fingerprint()


def test_without_guard_reviews_there_is_no_report(base, request_, tmp_path):
    done = correct(base, (), request_, Settings(rule="signed"), Guard(tmp_path, None))
    assert done.correction is not None
    assert (done.correction.report, done.correction.guard, done.harm) == (None, None, 0)


def test_the_rule_guarded_says_what_it_needs(base, request_, tmp_path):
    with pytest.raises(InputError, match="needs to know what to leave alone: bring some reviews"):
        correct(base, (), request_, Settings(), Guard(tmp_path, None, remedy="bring some reviews"))


def test_what_is_not_reached_is_no_correction(base, request_, guard):
    done = correct(base, (), request_, Settings(rule="random", r=0.001), guard)
    assert (done.intervention.outcome, done.correction, done.asks) == ("not_reached", None, False)


@pytest.mark.parametrize(
    ("tolerated", "care", "told"), [(-1, "needed", 1), (-1, NEVER, 0), (99, "needed", 0)]
)
def test_a_gentler_way_is_looked_for_where_too_much_breaks(
    base, request_, guard, monkeypatch, tolerated, care, told
):
    monkeypatch.setattr("sparsecbm_core.session.attempt.TOLERATED", tolerated)
    firsts: list[Attempt] = []
    done = correct(base, (), request_, Settings(care=care), guard, on_first=firsts.append)
    assert len(firsts) == told
    assert all(done.harm <= first.harm for first in firsts)


def test_where_being_sure_breaks_too_much_it_only_gets_ahead(base, request_, guard, monkeypatch):
    """The gentlest way asks for no more than that the state leads."""
    import sparsecbm_core.intervene.correct as core

    asked, honest = [], core.intervene

    def noted(*arguments, **values):
        asked.append((values["protect"] is not None, values["confidence"]))
        return honest(*arguments, **values)

    monkeypatch.setattr(core, "intervene", noted)
    monkeypatch.setattr("sparsecbm_core.session.attempt.TOLERATED", -1)
    correct(base, (), request_, Settings(confidence=0.7), guard)
    assert asked == [(False, 0.7), (True, 0.7), (True, 0.0)]


@pytest.mark.parametrize("settings", [Settings(rule="signed"), Settings(r=0.05), Settings(scope="similar")])
def test_only_guarded_with_the_fewest_bits_everywhere_can_spare_readings(settings):
    assert Settings().can_care
    assert not settings.can_care


def test_more_harm_than_allowed_asks_first(base, request_, guard):
    done = correct(base, (), request_, Settings(rule="signed", most_broken=-1), guard)
    assert done.correction is not None
    assert done.asks


def test_a_second_correction_counts_whether_the_first_still_holds(base, made, guard):
    text = "great food but slow waiter"
    first = made.correction
    asked = Request(text, "food", other_state(model_under(base, [first], guard.caches), text, "food"))
    done = correct(base, (first,), asked, Settings(), guard)
    assert done.correction is not None
    held, hold = done.correction.earlier
    assert held == 1
    now = model_under(base, [first, done.correction], guard.caches).predict([REVIEW]).concept_logits
    kept = int(now[0, 0].argmax()) == base.space.state_index(first.patch.state)
    assert hold == int(kept)
    assert done.correction.before == (first.fingerprint,)
    before, after = guard.at(base, (first,), print), guard.at(base, (first, done.correction), print)
    assert done.correction.report == before.compare(after, ("food",))


def test_a_correction_for_similar_reviews_holds_for_these_alone(base, request_, guard):
    done = correct(base, (), request_, Settings(scope="similar"), guard).correction
    assert done is not None
    chain = (done,)
    assert holding(chain, REVIEW) == chain
    assert holding(chain, "an altogether different text about nothing") == ()
    assert holding(chain, "") == ()
    assert done.report.concept.unchanged == 5


def test_corrected_models_are_made_once_and_of_their_own_base_alone(base, made):
    caches, correction = Caches(), made.correction
    assert model_under(base, [], caches) is base
    assert model_under(base, [correction], caches) is model_under(base, [correction], caches)
    foreign = replace(correction, patch=replace(correction.patch, model="0" * 16))
    assert model_under(base, [foreign], caches) is base
    assert model_under(base, [correction, correction], caches) is base  # an edit twice is none
    assert not net([correction, correction]).size


def test_what_is_made_of_ones_own_guard_reviews_is_not_written(base, reviews, request_, tmp_path):
    correct(base, (), request_, Settings(), Guard(tmp_path, reviews, own=True))
    assert list(tmp_path.iterdir()) == []
    correct(base, (), request_, Settings(), Guard(tmp_path, reviews))
    assert {path.name for path in tmp_path.iterdir()} == {"guard_profiles", "guard_baselines"}
    # Without reviews the profile that was made last is enough.
    assert correct(base, (), request_, Settings(), Guard(tmp_path, None)).correction is not None

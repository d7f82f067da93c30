"""Doses of a correction: each as sparse as before and the same as a correction of that r."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.dose import DOSES, DosePoint, DoseResponse, _default_counts, dose_response
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.profile import compute_profile
from sparsecbm_core.intervene.results import Reading
from sparsecbm_core.intervene.rules import RULES
from tests.tiny import REVIEW, make_tiny
from tests.toy import second_state, toy_reviews

DOSES_SHARES = [0.2, 0.002, 0.01, 0.05]


@pytest.fixture(scope="module")
def profile(tiny_model):
    return compute_profile(tiny_model, [REVIEW, "good food", "the service was slow"])


@pytest.fixture(scope="module")
def baseline(tiny_model):
    return GuardBaseline.read(tiny_model, toy_reviews(20))


@pytest.mark.parametrize("rule", RULES)
def test_each_dose_is_the_correction_of_that_r(tiny_model, profile, rule):
    state = second_state(tiny_model, "food")
    result = dose_response(tiny_model, REVIEW, "food", state, rule, profile, seed=3, doses=DOSES_SHARES)
    assert [point.count for point in result.points] == [
        round(r * result.total) for r in [0, *sorted(DOSES_SHARES)]
    ]
    said = intervene(tiny_model, REVIEW, "food", state, rule, 0.01, profile, seed=3)
    assert result.before.reading == said.before
    for r, point in zip(sorted(DOSES_SHARES), result.points[1:], strict=True):
        done = intervene(tiny_model, REVIEW, "food", state, rule, r, profile, seed=3)
        assert (point.count, point.r) == (done.dropped, pytest.approx(done.r))
        assert (point.reading.state, point.reading.label) == (done.after.state, done.after.label)
        assert point.reading.states == pytest.approx(done.after.states, abs=1e-5)
        assert point.reading.labels == pytest.approx(done.after.labels, abs=1e-5)


def test_the_guard_reviews_are_read_at_every_dose(tiny_model, profile, baseline):
    state = second_state(tiny_model, "food")
    result = dose_response(tiny_model, REVIEW, "food", state, "signed", None, baseline, doses=[0.01, 0.2])
    for point in result.points[1:]:
        done = intervene(tiny_model, REVIEW, "food", state, "signed", point.r)
        report = baseline.report(done.corrected, ["food"])
        assert point.concept_accuracy == report.concept.accuracy_after
        assert point.label_accuracy == report.label.accuracy_after
        assert result.before.concept_accuracy == report.concept.accuracy_before
        assert result.before.label_accuracy == report.label.accuracy_before
    assert result.guard_reviews == 20


@pytest.mark.parametrize("rule", RULES)
def test_sparsity_is_exact_at_every_dose_and_the_model_only_read(
    tiny_model, profile, baseline, rule, monkeypatch
):
    masks, weights = tiny_model.masks.fingerprint(), tiny_model.weights
    stacked = {name: matrix.stacked.clone() for name, matrix in weights.matrices.items()}
    seen, report = [], GuardBaseline.report

    def spy(self, corrected, *more):
        seen.append((corrected.masks.sparsity(), int(_flips(tiny_model, corrected))))
        return report(self, corrected, *more)

    monkeypatch.setattr(GuardBaseline, "report", spy)
    result = dose_response(
        tiny_model, REVIEW, "noise", "Negative", rule, profile, baseline, doses=DOSES_SHARES
    )
    assert seen == [(tiny_model.masks.sparsity(), 2 * point.count) for point in result.points[1:]]
    assert tiny_model.masks.fingerprint() == masks
    assert all(torch.equal(stacked[name], matrix.stacked) for name, matrix in weights.matrices.items())


def _flips(model, corrected):
    return sum(
        (model.masks.to_bool(name) ^ corrected.masks.to_bool(name)).sum() for name in model.masks.shapes
    )


def made(states: list[str], target: str = "Positive") -> DoseResponse:
    """Points with these predicted states, made by hand."""
    points = []
    for n, state in enumerate(states):
        share = {name: 0.8 if name == state else 0.1 for name in ("Negative", "Positive", "unknown")}
        said = Reading(state, share, "4" if n < 2 else "5", {"4": 0.6 - 0.1 * n, "5": 0.4 + 0.1 * n})
        points.append(DosePoint(10**n if n else 0, 10**n / 1e6 if n else 0.0, said, 0.9 - n / 100, 0.7))
    return DoseResponse("f" * 16, "food", target, "guarded", 0, 10**6, 25 * 10**4, 7, tuple(points), 0.5)


def test_the_smallest_dose_that_works_is_the_first_one():
    result = made(["Negative", "Negative", "Positive", "Negative", "Positive"])
    assert result.smallest is result.points[2]
    assert not result.already
    assert made(["Negative", "Negative"]).smallest is None
    settled = made(["Positive", "Negative", "Positive"])
    assert settled.already
    assert settled.smallest is None  # no dose is needed


def test_rows_and_json_hold_every_dose():
    result = made(["Negative", "Negative", "Positive"])
    assert result.rows()[2] == {
        "r": 1e-4,
        "dropped": 100,
        "grown": 100,
        "target_state": 0.8,
        "state": "Positive",
        "label": "5",
        "label_probability": pytest.approx(0.6),
        "label_before": pytest.approx(0.4),
        "guard_concept": pytest.approx(0.88),
        "guard_label": 0.7,
        "smallest": True,
    }
    assert [row["smallest"] for row in result.rows()] == [False, False, True]
    assert "guard_concept" not in replace(result, guard_reviews=0).rows()[0]
    exported = json.loads(json.dumps(result.to_dict()))
    assert exported["smallest_r"] == 1e-4
    assert [point["dropped"] for point in exported["points"]] == [0, 10, 100]
    assert exported["points"][2]["reading"]["state"] == "Positive"


def test_progress_is_told_and_can_end_the_run(tiny_model):
    steps = []
    doses = [0.01, 0.02, 0.05]
    dose_response(
        tiny_model,
        REVIEW,
        "food",
        "Negative",
        "signed",
        doses=doses,
        on_progress=lambda *step: steps.append(step),
    )
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Stopped

    before = tiny_model.predict([REVIEW]).concept_logits
    with pytest.raises(Stopped):
        dose_response(tiny_model, REVIEW, "food", "Negative", "signed", doses=doses, on_progress=stop)
    torch.testing.assert_close(tiny_model.predict([REVIEW]).concept_logits, before, rtol=0, atol=0)


@given(st.sampled_from(sorted(RULES)), st.integers(1, 30_000_000), st.data())
def test_usual_doses_are_possible_and_in_order(rule, total, data):
    limit = data.draw(st.integers(1, max(1, total // 2)))
    counts = _default_counts(RULES[rule], total, limit)
    assert counts == sorted(set(counts))
    assert 1 <= counts[0] <= counts[-1] <= limit
    assert len(counts) <= DOSES


def test_usual_doses_of_a_real_model():
    total = 10_616_832
    counts = _default_counts(RULES["guarded"], total, total // 4)
    assert (counts[0], counts[-1], len(counts)) == (4, 10_617, DOSES)
    assert _default_counts(RULES["paper"], total, total // 4)[-1] == 212_337
    assert _default_counts(RULES["paper"], total, 1000)[-1] == 1000


@pytest.mark.parametrize("dose", [0, -0.1, 0.26, True, "much", float("nan")])
def test_doses_out_of_range_are_refused(tiny_model, dose):
    with pytest.raises(InputError, match=r"a dose must be a share in \(0, 0.25\].*got"):
        dose_response(tiny_model, REVIEW, "food", "Negative", "signed", doses=[0.1, dose])


def test_what_makes_no_sense_is_refused(tiny_model, profile):
    def run(model=tiny_model, text=REVIEW, concept="food", state="Negative", rule="signed", **more):
        dose_response(model, text, concept, state, rule, **more)

    with pytest.raises(InputError, match="unknown concept 'decor'"):
        run(concept="decor")
    with pytest.raises(InputError, match="unknown state 'good'"):
        run(state="good")
    with pytest.raises(InputError, match="unknown rule 'best'"):
        run(rule="best")
    with pytest.raises(InputError, match="text is empty"):
        run(text="  ")
    with pytest.raises(InputError, match="needs a guard profile"):
        run(rule="guarded")
    with pytest.raises(InputError, match="at least one dose"):
        run(doses=[])
    with pytest.raises(InputError, match="no masks"):
        run(model=make_tiny("bert", density=None))
    with pytest.raises(InputError, match="nothing to exchange"):
        run(model=make_tiny("bert", density=1.0))
    with pytest.raises(InputError, match="by another model"):
        run(baseline=GuardBaseline.read(make_tiny("bert", seed=1), toy_reviews(2)))

"""A correction inside the model: reached, exactly as sparse as before, and the model given untouched."""

from __future__ import annotations

import json
import math

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.comparators import by_oracle, finetune, head_only
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.edits import MaskEdit, net_edit
from sparsecbm_core.intervene.flips import MARGIN
from sparsecbm_core.intervene.in_force import corrected_model
from sparsecbm_core.intervene.profile import compute_profile
from sparsecbm_core.intervene.protect import Protected
from sparsecbm_core.intervene.rules import RULES
from tests.tiny import ARCHITECTURES, REVIEW, make_tiny, with_masks
from tests.toy import second_state, toy_reviews

TEXTS = [REVIEW, "good food", "the service was slow and the music loud"]


@pytest.fixture(autouse=True)
def small_models_need_larger_shares(monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)


@pytest.fixture(scope="module")
def profiles(tiny_models):
    return {arch: compute_profile(model, TEXTS) for arch, model in tiny_models.items()}


@pytest.mark.parametrize("rule", ["guarded", "signed"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_correction_holds_when_the_same_text_comes_again(tiny_models, profiles, arch, rule):
    model = tiny_models[arch]
    for k, concept in enumerate(model.space.concepts):
        state = second_state(model, concept)
        done = intervene(model, REVIEW, concept, state, rule=rule, profile=profiles[arch])
        assert done.outcome == "reached"
        said = done.corrected.predict([REVIEW]).concept_logits[0]
        best, second = said[k].topk(2).values.tolist()
        assert model.space.states[int(said[k].argmax())] == state
        assert best - second >= MARGIN - 1e-4
        others = [j for j in range(model.space.num_concepts) if j != k]
        before = model.predict([REVIEW]).concept_logits[0]
        torch.testing.assert_close(said[others], before[others])  # their subnetworks are the same
        assert done.edit.concepts == (concept,)


@pytest.mark.parametrize("r", ["auto", 0.01, 0.25])
@pytest.mark.parametrize("rule", RULES)
def test_sparsity_stays_exact_and_the_edit_leads_there(tiny_model, profiles, rule, r):
    state = second_state(tiny_model, "food")
    done = intervene(tiny_model, REVIEW, "food", state, rule=rule, r=r, profile=profiles["bert"])
    assert done.dropped == done.grown == done.edit.size // 2
    assert done.dropped > 0 or done.outcome == "not_reached"
    assert done.corrected.masks.sparsity() == tiny_model.masks.sparsity()
    assert done.corrected.masks == done.edit.apply(tiny_model.masks)
    assert done.edit.apply(done.corrected.masks) == tiny_model.masks
    if r != "auto":
        assert done.dropped == round(r * tiny_model.masks.total)
        assert done.r == pytest.approx(r, abs=1e-3)


def test_the_model_given_is_only_read(tiny_model, profiles):
    before, prints = tiny_model.predict(TEXTS), tiny_model.masks.fingerprint()
    weights = {name: matrix.stacked.clone() for name, matrix in tiny_model.weights.matrices.items()}
    for run in (finetune, head_only, by_oracle, intervene):
        more = {"profile": profiles["bert"]} if run is intervene else {}
        run(tiny_model, REVIEW, "noise", second_state(tiny_model, "noise"), **more)
    after = tiny_model.predict(TEXTS)
    assert torch.equal(before.concept_logits, after.concept_logits)
    assert torch.equal(before.label_logits, after.label_logits)
    assert tiny_model.masks.fingerprint() == prints
    assert all(torch.equal(weights[n], m.stacked) for n, m in tiny_model.weights.matrices.items())


def test_a_chain_of_corrections_is_their_net_edit(tiny_model, profiles):
    model, edits = tiny_model, []
    for concept in ("food", "service", "food"):
        done = intervene(model, REVIEW, concept, second_state(model, concept), profile=profiles["bert"])
        model, edits = done.corrected, [*edits, done.edit]
    whole = corrected_model(tiny_model, net_edit(edits))
    assert whole.masks == model.masks
    torch.testing.assert_close(whole.predict(TEXTS).concept_logits, model.predict(TEXTS).concept_logits)
    rebuilt = with_masks(tiny_model, whole.masks)  # weights made anew for all concepts
    torch.testing.assert_close(rebuilt.predict(TEXTS).label_logits, model.predict(TEXTS).label_logits)
    assert corrected_model(tiny_model, MaskEdit({})) is tiny_model


def test_a_state_that_is_there_already_changes_nothing(tiny_model):
    k = tiny_model.space.concept_index("food")
    state = tiny_model.space.states[int(tiny_model.predict([REVIEW]).states[0, k])]
    done = intervene(tiny_model, REVIEW, "food", state, rule="signed")
    assert (done.outcome, done.edit.size, done.gradients, done.r) == ("already", 0, 0, 0.0)
    assert done.corrected is tiny_model
    assert done.after == done.before


@pytest.mark.parametrize("protecting", [False, True])
@pytest.mark.parametrize("fixture", ["tiny_model", "honest_model"])
def test_a_corrected_state_is_as_likely_as_asked_for(fixture, protecting, request):
    """And hardly more than that: the fewest flips are looked for."""
    model = request.getfixturevalue(fixture)
    texts = [example.text for example in toy_reviews(12)]
    profile = compute_profile(model, texts)
    held = Protected(anchors={"food": tuple(texts[:4])}) if protecting else None
    state, flips = second_state(model, "food"), []
    for confidence in (0.0, 0.6, 0.9):
        done = intervene(model, REVIEW, "food", state, profile=profile, protect=held, confidence=confidence)
        assert done.outcome == "reached"
        assert done.after.states[state] >= confidence - 1e-4
        flips.append(done.edit.size)
    assert flips == sorted(flips)
    assert flips[0] < flips[2]


@pytest.mark.parametrize("confidence", [-0.1, 1.0, "sure", True])
def test_a_confidence_is_a_share(tiny_model, confidence):
    with pytest.raises(InputError, match="confidence must lie in"):
        intervene(tiny_model, REVIEW, "food", "Positive", rule="signed", confidence=confidence)


def test_not_reached_is_an_outcome(tiny_model, monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.correct.MARGIN", math.inf)
    state = second_state(tiny_model, "food")
    done = intervene(tiny_model, REVIEW, "food", state, rule="random", r=1e-3)
    assert done.outcome == ("reached" if done.again else "not_reached")
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 1e-9)
    done = intervene(tiny_model, REVIEW, "food", state, rule="random")
    assert (done.outcome, done.again) == ("not_reached", False)


def test_the_result_as_json(tiny_model, profiles):
    state = second_state(tiny_model, "food")
    done = intervene(tiny_model, REVIEW, "food", state, profile=profiles["bert"])
    said = json.loads(json.dumps(done.to_dict()))
    assert said["dropped"] + said["grown"] == said["flips"] == done.edit.size
    assert sum(row["dropped"] for row in said["matrices"]) == said["dropped"]
    assert sum(said["after"]["states"].values()) == pytest.approx(1.0, abs=1e-5)
    assert said["fingerprint"] == tiny_model.fingerprint


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"concept": "smell"}, "unknown concept 'smell'; choose one of: food, service, noise"),
        ({"state": "Great"}, "unknown state 'Great'"),
        ({"rule": "magic"}, "unknown rule 'magic'"),
        ({"r": 0}, "r must be 'auto' or a share in"),
        ({"r": 0.3}, "r must be 'auto' or a share in (0, 0.25]"),
        ({"r": "some"}, "r must be 'auto'"),
        ({"r": True}, "r must be 'auto'"),
        ({"r": math.nan}, "r must be 'auto'"),
        ({"text": "  "}, "the text is empty"),
        ({"rule": "guarded"}, "needs a guard profile"),
    ],
)
def test_bad_input(tiny_model, change, problem):
    arguments = {"text": REVIEW, "concept": "food", "state": "Positive", "rule": "signed"}
    with pytest.raises(InputError) as error:
        intervene(tiny_model, **{**arguments, **change})
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_a_dense_model_has_nothing_to_correct():
    with pytest.raises(InputError, match="no masks to correct"):
        intervene(make_tiny("bert", density=None), REVIEW, "food", "Positive", rule="signed")

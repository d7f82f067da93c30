"""What is protected, and corrections that keep it: what was broken is counted, or repaired."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.flips import MARGIN
from sparsecbm_core.intervene.profile import compute_profile
from sparsecbm_core.intervene.protect import HOLD, Earlier, Held, Protected
from sparsecbm_core.intervene.subnetwork import Subnetwork
from tests.tiny import SPACE
from tests.toy import toy_reviews

REVIEWS = toy_reviews(24)
CONCEPT = 1  # service


@pytest.fixture(autouse=True)
def small_models_need_larger_shares(monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)


@pytest.fixture(scope="module")
def profile(tiny_model):
    return compute_profile(tiny_model, REVIEWS.texts[12:])


@pytest.fixture(scope="module")
def wrong(tiny_model):
    """Texts with a state of service that the model does not see: the second likeliest."""
    texts = list(dict.fromkeys(REVIEWS.texts[:12]))[:6]
    order = tiny_model.predict(texts).concept_logits[:, CONCEPT].argsort(-1, descending=True)
    return [(text, tiny_model.space.states[int(row[1])]) for text, row in zip(texts, order, strict=True)]


def chain(model, wrong, profile, protect):
    for text, state in wrong:
        done = intervene(model, text, "service", state, profile=profile, protect=protect)
        model = done.corrected
        if protect is not None:
            protect = protect.and_earlier(text, "service", state)
    said = model.predict([text for text, _ in wrong]).states[:, CONCEPT].tolist()
    return model, [model.space.states[i] == state for i, (_, state) in zip(said, wrong, strict=True)]


def test_a_chain_keeps_every_correction_and_the_sparsity(tiny_model, wrong, profile):
    before = tiny_model.masks.fingerprint()
    corrected, right = chain(tiny_model, wrong, profile, Protected())
    assert all(right)
    assert corrected.masks.sparsity() == tiny_model.masks.sparsity()
    assert tiny_model.masks.fingerprint() == before
    _, unprotected = chain(tiny_model, wrong, profile, None)
    assert sum(unprotected) < len(wrong)  # or the test would show nothing


def test_margins_of_new_and_earlier(tiny_model, wrong, profile):
    first, was = wrong[0]
    done = intervene(tiny_model, first, "service", was, profile=profile)
    held = Protected.of([(first, "service", was)])
    said = done.corrected.predict([text for text, _ in wrong]).states[:, CONCEPT].tolist()
    names = [tiny_model.space.states[i] for i in said]
    second, state = next(pair for pair, name in zip(wrong, names, strict=True) if pair[1] != name)
    after = intervene(done.corrected, second, "service", state, profile=profile, protect=held)
    assert (after.outcome, after.protected_broken) == ("reached", 0)
    for text, name, floor in ((second, state, MARGIN), (first, was, HOLD)):
        logits = after.corrected.predict([text]).concept_logits[0, CONCEPT]
        target = tiny_model.space.state_index(name)
        rest = torch.cat([logits[:target], logits[target + 1 :]])
        assert float(logits[target] - rest.max()) >= floor - 1e-4


def test_anchors_move_less_when_they_are_protected(tiny_model, wrong, profile):
    guard = toy_reviews(8, "guard")
    said = tiny_model.predict(guard.texts).concept_logits
    held = Protected.of(guard=guard, concept_logits=said)
    moved = {}
    for name, protect in (("with", held), ("without", None)):
        total = 0.0
        for text, state in wrong[:4]:
            done = intervene(tiny_model, text, "service", state, profile=profile, protect=protect)
            assert done.again
            now = done.corrected.predict(guard.texts).concept_logits
            total += float((now - said).square().mean())
        moved[name] = total
    assert moved["with"] < 0.5 * moved["without"]


def test_other_rules_only_count_what_they_break(tiny_model, wrong, profile):
    (first, was), (second, state) = wrong[:2]
    held = Protected.of([(first, "service", was)])
    model = intervene(tiny_model, first, "service", was, rule="signed").corrected
    plain = intervene(model, second, "service", state, rule="signed")
    counted = intervene(model, second, "service", state, rule="signed", protect=held)
    assert counted.edit.fingerprint() == plain.edit.fingerprint()
    now = counted.corrected.predict([first]).states[0, CONCEPT]
    assert counted.protected_broken == int(tiny_model.space.states[int(now)] != was)
    assert plain.protected_broken == 0


def test_only_what_was_right_can_be_broken(tiny_model, wrong):
    text, state = wrong[0]
    subnetwork = Subnetwork(tiny_model, "service")
    held = Held.of(subnetwork, Protected.of([(text, "service", state)]))
    before = held.before(subnetwork)
    assert (before.states.tolist(), held.earlier) == ([tiny_model.space.state_index(state)], 1)
    assert float(before.leads) < 0
    assert before.broken(subnetwork, held) == 0
    assert Held.of(subnetwork, Protected.of([(text, "noise", state)])) is None


def test_a_text_is_not_protected_from_its_own_new_correction(tiny_model, wrong, profile):
    text, state = wrong[0]
    done = intervene(tiny_model, text, "service", state, profile=profile)
    other = next(s for s in tiny_model.space.states if s not in (state, done.before.state))
    held = Protected.of([(text, "service", state)])
    again = intervene(done.corrected, text, "service", other, profile=profile, protect=held)
    assert (again.again, again.protected_broken) == (True, 0)


def test_what_cannot_be_protected_is_one_line(tiny_model, profile):
    held = Protected.of([("a", "smell", "Positive")])
    with pytest.raises(InputError, match="unknown protected concept 'smell'"):
        intervene(tiny_model, "good food", "service", "Positive", profile=profile, protect=held)


def test_anchors_are_the_reviews_nearest_to_the_boundary_of_each_concept():
    reviews = toy_reviews(4)
    logits = torch.zeros(4, 3, 3)
    logits[:, 0, 1] = torch.tensor([3.0, 0.1, 2.0, 1.0])  # food: reviews 1 and 3 are nearest
    logits[:, 1, 0] = torch.tensor([0.2, 5.0, 0.1, 4.0])  # service: 2 and 0
    held = Protected.of(guard=reviews, concept_logits=logits, limit=2)
    texts = reviews.texts
    assert held.anchors["food"] == (texts[1], texts[3])
    assert held.anchors["service"] == (texts[2], texts[0])
    assert held.anchors["noise"] == (texts[0], texts[1])  # all alike: in their order
    assert held.earlier == ()


def test_the_latest_word_on_a_concept_of_a_text_counts():
    held = Protected.of([("a", "food", "Positive"), ("b", "food", "unknown"), ("a", "noise", "unknown")])
    again = held.and_earlier(" a", "food", "Negative")
    assert again.earlier_of("food") == (Earlier("b", "food", "unknown"), Earlier(" a", "food", "Negative"))
    assert again.earlier_of("noise") == held.earlier_of("noise") == (Earlier("a", "noise", "unknown"),)
    assert held.without("a ", "food").earlier_of("food") == (Earlier("b", "food", "unknown"),)
    assert len(held.earlier) == 3  # a value: none of this changed it


@pytest.mark.parametrize(
    ("held", "problem"),
    [
        (Protected((Earlier("a", "smell", "Positive"),)), "unknown protected concept 'smell'"),
        (Protected((Earlier("a", "food", "Great"),)), "unknown protected state 'Great'"),
        (Protected((Earlier(" ", "food", "Positive"),)), "protected text is empty"),
        (Protected(anchors={"smell": ()}), "unknown protected concept 'smell'"),
    ],
)
def test_what_a_model_cannot_protect(held, problem):
    with pytest.raises(InputError) as error:
        held.check(SPACE)
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("logits", [None, torch.zeros(3, 3, 3), torch.zeros(4, 3)])
def test_reviews_need_logits_of_their_own(logits):
    with pytest.raises(InputError, match=r"of shape \(4, 3, 3\) are needed"):
        Protected.of(guard=toy_reviews(4), concept_logits=logits)

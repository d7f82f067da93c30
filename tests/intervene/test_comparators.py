"""What corrections are compared with: reached without a mask bit, or for once."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.comparators import BY_NAME, by_oracle, correct_by, finetune, head_only
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.rules import RULES
from tests.tiny import REVIEW
from tests.toy import second_state

TEXTS = [REVIEW, "good food", "the service was slow and the music loud"]


def test_the_oracle_does_not_last(tiny_model):
    state = second_state(tiny_model, "service")
    done = by_oracle(tiny_model, REVIEW, "service", state)
    activations = tiny_model.predict([REVIEW]).activations[0].clone()
    k, target = tiny_model.space.concept_index("service"), tiny_model.space.state_index(state)
    activations[k] = torch.eye(tiny_model.space.num_states)[target]
    shares = tiny_model.cbm.label_logits(activations[None])[0].softmax(-1)
    assert list(done.oracle.labels.values()) == pytest.approx(shares.tolist(), abs=1e-6)
    assert done.oracle.state == state
    assert (done.outcome, done.again, done.after) == ("not_reached", False, done.before)


@pytest.mark.parametrize("run", [finetune, head_only])
def test_training_on_the_review_reaches_the_state_by_changing_weights(tiny_model, run, monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.comparators.FINETUNE_RATE", 1e-2)
    state = second_state(tiny_model, "service")
    done = run(tiny_model, REVIEW, "service", state)
    assert (done.outcome, done.edit.size) == ("reached", 0)
    assert done.gradients > 0
    assert done.corrected.masks == tiny_model.masks
    before, after = (m.predict(TEXTS).concept_logits for m in (tiny_model, done.corrected))
    k = tiny_model.space.concept_index("service")
    others = [j for j in range(tiny_model.space.num_concepts) if j != k]
    assert torch.equal(before[:, others], after[:, others]) == (run is head_only)


def test_every_rule_and_comparator_by_name(tiny_model):
    asked = (tiny_model, REVIEW, "food", second_state(tiny_model, "food"))
    for name, run in BY_NAME.items():
        assert _timeless(correct_by(name, *asked)) == _timeless(run(*asked))
    done = correct_by("random", *asked, r=0.01, seed=3)
    assert _timeless(done) == _timeless(intervene(*asked, rule="random", r=0.01, seed=3))
    with pytest.raises(InputError, match=f"choose one of: {', '.join((*RULES, *BY_NAME))}"):
        correct_by("magic", *asked)


def _timeless(done):
    return {name: value for name, value in done.to_dict().items() if name != "seconds"}

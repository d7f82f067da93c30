"""The honest bottleneck: what is not mentioned adds nothing, and what is adds up."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.heads import bottleneck_class
from sparsecbm_core.models.honest_cbm import HonestCBM
from tests.tiny import SPACE, make_tiny

FREE = ConceptSpace(("food", "service"), ("Negative", "Positive", "unknown"), ("pub", "cafe", "bar"))
OWN = ConceptSpace(("tone",), ("warm", "cold", "unknown"), ("1", "2", "3"))
SPACES = {"ordered": SPACE, "unordered": FREE, "states without a sign": OWN}


@pytest.fixture(scope="module", params=list(SPACES))
def network(request) -> HonestCBM:
    found = make_tiny("bert", space=SPACES[request.param], head="honest").cbm
    assert isinstance(found, HonestCBM)
    return found


def readings_of(network, seed, count=5, scale=2.0):
    shape = (count, *network.readout[1].shape)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def test_by_hand():
    """One concept, certain enough: (0.7, 0.2, 0.1) leads by 0.5; a strength of ¼ + ¾ · ⅓ = ½ leaves ¼."""
    network = make_tiny("bert", space=OWN, head="honest").cbm
    logits = torch.tensor([0.7, 0.2, 0.1]).log()
    strength = torch.tensor([1 / 2, 9.0]).log()  # σ = ⅓ and 0.9
    rest = torch.tensor([0.5, 0.0, -0.5, 0.0, 0.0])
    found = network.activate(torch.stack([torch.cat([logits, strength]), rest]))
    assert found[0].tolist() == pytest.approx([0.25, 0.0, 0.0])
    half = float(torch.tensor(0.5).tanh())
    assert found[1].tolist() == pytest.approx([half, 0.0, -half])
    assert network.strengths(torch.stack([torch.cat([logits, strength]), rest]))[0].tolist() == pytest.approx(
        [0.5, 0.925, 0.0]
    )


@given(seed=st.integers(0, 10**6))
def test_contributions_and_bias_are_the_score(network, seed):
    said = network.bottleneck(readings_of(network, seed))
    parts = network.contributions(said.activations)
    torch.testing.assert_close(parts.sum(1) + network.classifier_bias, said.label_logits)
    assert parts.shape == (5, len(network.parts), network.space.num_labels)


@given(seed=st.integers(0, 10**6))
def test_a_concept_that_is_not_mentioned_adds_exactly_nothing(network, seed):
    said = network.bottleneck(readings_of(network, seed))
    silent = said.concept_logits.argmax(-1) == network.space.state_index("unknown")  # (B, K)
    parts = network.contributions(said.activations)[:, :-1]
    assert bool((parts[silent] == 0).all())
    only_own = said.activations[:, :-1, : network.space.num_states].gt(0).sum(-1)
    assert int(only_own.max()) <= 1


@given(seed=st.integers(0, 10**6))
def test_a_sign_agrees_with_its_state(seed):
    """Of ordered labels what Negative adds falls from label to label, and what Positive adds rises."""
    network = ordered_network()
    said = network.bottleneck(readings_of(network, seed))
    parts = network.contributions(said.activations)[:, :-1].diff(dim=-1)  # (B, K, Y − 1)
    states = said.concept_logits.argmax(-1)
    assert bool((parts[states == 0] <= 0).all())
    assert bool((parts[states == 1] >= 0).all())


@given(seed=st.integers(0, 10**6))
def test_setting_a_concept_never_moves_the_answer_against_its_state(seed):
    network = ordered_network()
    readings, values = readings_of(network, seed), torch.tensor(SPACE.label_values)
    stars = [
        network.bottleneck(network.stated(readings, 1, state)).label_logits.softmax(-1) @ values
        for state in (0, 2, 1)  # Negative, unknown, Positive
    ]
    assert bool((stars[0] <= stars[1] + 1e-6).all())
    assert bool((stars[1] <= stars[2] + 1e-6).all())


@cache
def ordered_network():
    """One for all examples that hypothesis draws."""
    return make_tiny("bert", head="honest").cbm


def test_the_rest_has_a_subnetwork_of_its_own(honest_model):
    assert honest_model.cbm.parts == (*SPACE.concepts, "rest") == honest_model.masks.concepts
    whole = honest_model.predict(["The soup was cold."]).readings
    alone = honest_model.cbm.row_readings(
        honest_model.cbm.embed(torch.tensor([honest_model.encode(["The soup was cold."])[0].ids])),
        torch.ones(1, len(honest_model.encode(["The soup was cold."])[0].ids)),
        honest_model.weights.only("rest"),
        [3],
    )
    torch.testing.assert_close(whole[0, 3], alone[0])


def test_it_is_kept_as_it_is(honest_model, tmp_path):
    honest_model.save_pretrained(tmp_path / "model")
    again = type(honest_model).from_pretrained(tmp_path / "model", device="cpu")
    assert again.cbm.head == "honest"
    assert again.fingerprint == honest_model.fingerprint
    text = ["The waiter was slow, the food good."]
    halved = again.predict(text).label_logits  # weights are kept in fp16
    torch.testing.assert_close(halved, honest_model.predict(text).label_logits, atol=2e-2, rtol=2e-2)


def test_names_that_cannot_be():
    with pytest.raises(SettingsError, match="'rest'"):
        make_tiny("bert", space=ConceptSpace(("rest", "food"), OWN.states, OWN.labels), head="honest")
    with pytest.raises(SettingsError, match="honest"):
        bottleneck_class("hones")

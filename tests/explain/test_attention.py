"""Attention: worked out by hand, summing to one whatever the text, and read without a trace."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.attention import attention, merged, rollout
from sparsecbm_core.explain.words import words_of
from sparsecbm_core.models.backbone import build_backbone
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from sparsecbm_core.models.subnetworks import active
from tests.models.accelerator import without_float64
from tests.tiny import ARCHITECTURES, MAX_LENGTH, REVIEW, make_tiny

each_architecture = pytest.mark.parametrize("arch", ARCHITECTURES)


@cache
def dense(arch: str = "bert") -> ConceptModel:
    return make_tiny(arch, density=None)


def test_rollout_by_hand() -> None:
    """Two tokens, two layers: Â₁ = ½A₁ + ½I = [[1, 0], [½, ½]] and Â₂ = ½A₂ + ½I = [[½, ½], [0, 1]]."""
    layers = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]], dtype=torch.float64)
    # Â₂ Â₁ = [[½·1 + ½·½, ½·½], [½, ½]]
    assert rollout(layers).tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert rollout(layers[:1]).tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_pieces_are_added_up_and_the_rest_frames() -> None:
    words, framing = merged(torch.tensor([0.5, 0.125, 0.0625, 0.25, 0.0625]), [(1, 2), (3,)])
    assert words == [0.1875, 0.25]
    assert framing == 0.5625


@each_architecture
def test_shares_are_means_over_all_tokens_of_all_heads(arch: str) -> None:
    """Against the encoder's own attention, added up here once more."""
    model, found = dense(arch), attention(dense(arch), REVIEW)
    encoded = model.encode([REVIEW])[0]
    ids = torch.tensor([encoded.ids])
    with torch.inference_mode(), active(None):
        output = model.cbm.encoder(
            inputs_embeds=model.cbm.embed(ids), attention_mask=torch.ones_like(ids), output_attentions=True
        )
    assert found.heads == 2
    assert len(found.layers) == len(output.attentions) == 2
    words = words_of(REVIEW, encoded)
    special = sum(token is True for token in encoded.special)
    assert special
    for layer, matrix in zip(found.layers, output.attentions, strict=True):
        to_tokens = matrix[0].mean(0).mean(0)  # heads, then the tokens that look
        for word, token in zip(words, layer.tokens, strict=True):
            assert token.text == REVIEW[word.start : word.end]
            assert token.score == pytest.approx(float(to_tokens[list(word.tokens)].sum()), abs=1e-6)
        assert layer.framing > 0
        assert layer.even == pytest.approx((1 - layer.framing) / len(words))


@each_architecture
@given(text=st.text(max_size=40).filter(lambda text: text.strip()))
def test_words_and_frame_are_everything(arch: str, text: str) -> None:
    model = dense(arch)
    if not words_of(text, model.encode([text.encode("utf-8", "replace").decode()])[0]):
        with pytest.raises(InputError):
            attention(model, text)
        return
    found = attention(model, text)
    for received in (*found.layers, found.rollout):
        assert sum(token.score for token in received.tokens) + received.framing == pytest.approx(1, abs=1e-5)
        assert received.framing >= 0
        assert min(token.score for token in received.tokens) >= 0


@each_architecture
def test_asking_leaves_the_model_as_it_was(arch: str) -> None:
    model = make_tiny(arch, density=None)
    before = model.predict([REVIEW]).label_logits
    weights = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    attention(model, REVIEW)
    assert torch.equal(model.predict([REVIEW]).label_logits, before)
    after = model.network.state_dict()
    assert weights.keys() == after.keys()
    assert all(torch.equal(weights[name], after[name]) for name in weights)
    assert not getattr(model.cbm.encoder.config, "output_attentions", False)


def test_an_accelerator_without_float64_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = attention(dense(), REVIEW)
    without_float64(monkeypatch)
    assert attention(dense(), REVIEW) == expected


def test_a_decoder_looks_back_only() -> None:
    """In OPT nobody sees the last word but the last token itself."""
    first, *_, last = attention(dense("opt"), "good soup but cold").layers[0].tokens
    assert last.score < first.score


def test_a_long_text_is_cut_as_elsewhere() -> None:
    found = attention(dense(), "soup " * 200)
    assert found.truncated.kept == MAX_LENGTH
    assert found.truncated.total == 202
    assert len(found.rollout.tokens) == MAX_LENGTH - 2
    assert found.rollout.tokens[-1].end == found.truncated.kept_chars


def test_it_can_be_saved() -> None:
    found = attention(dense(), REVIEW)
    data = json.loads(json.dumps(found.to_dict()))
    assert data["schema_version"] == 1
    assert data["fingerprint"] == dense().fingerprint
    assert data["layers"][1]["tokens"][0] == {
        "text": "The",
        "start": 0,
        "end": 3,
        "score": found.layers[1].tokens[0].score,
    }


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="at least one word"):
        attention(dense(), text)


def test_a_sparse_model_has_no_attention_of_its_own(tiny_model: ConceptModel) -> None:
    with pytest.raises(InputError, match="the dense model that it was cut from"):
        attention(tiny_model, REVIEW)


def test_a_standard_classifier_is_refused() -> None:
    model = dense()
    space = ConceptSpace(("food",), ("Negative", "Positive"), ("1", "2"))
    encoder = build_backbone({**model.cbm.encoder.config.to_dict()})
    network = StandardClassifier(encoder, space)
    with pytest.raises(InputError, match="standard classifier"):
        attention(ConceptModel(network, model.tokenizer, None, MAX_LENGTH), REVIEW)

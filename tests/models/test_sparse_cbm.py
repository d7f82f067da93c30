"""The bottleneck's arithmetic, and logits that depend on the text alone."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import InputError
from sparsecbm_core.models.backbone import build_backbone
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier
from tests.tiny import ARCHITECTURES, REVIEW, SPACE, make_tiny, with_masks

TEXTS = [
    REVIEW,
    "The food was great.",
    "Rude.",
    "The music was too loud, and the waiters were slow and rude.",
]

architectures = pytest.mark.parametrize("arch", ARCHITECTURES)


def standard(arch="bert"):
    model = make_tiny(arch, density=None)
    torch.manual_seed(0)
    network = StandardClassifier(model.network.encoder, SPACE).eval().requires_grad_(False)
    return ConceptModel(network, model.tokenizer, None, model.max_length)


def test_label_logits_by_hand(tiny_model):
    """Σ_k φ_k σ(ℓ_k) + b, in plain loops."""
    network = tiny_model.cbm
    logits = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    output = network.bottleneck(logits)
    for b in range(2):
        for y in range(4):
            total = float(network.classifier_bias[y])
            for k in range(3):
                for c in range(3):
                    total += float(network.classifier[y, k, c]) / (1 + float(torch.exp(-logits[b, k, c])))
            assert float(output.label_logits[b, y]) == pytest.approx(total, abs=1e-5)
    assert torch.equal(output.concept_logits, logits)
    assert torch.equal(output.activations, torch.sigmoid(logits))


def test_every_concept_has_its_own_projector(tiny_model):
    network = tiny_model.cbm
    pooled = torch.randn(3, 2, 16, generator=torch.Generator().manual_seed(0))  # (K, B, E)
    logits = network.project(pooled)
    for k in range(3):
        expected = pooled[k] @ network.projector[k].T + network.projector_bias[k]
        torch.testing.assert_close(logits[:, k], expected)


def test_pooling_is_the_mean_over_tokens_that_are_not_padding(tiny_model):
    network = tiny_model.cbm
    ids = torch.tensor([[2, 5, 7, 3], [2, 9, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    hidden = network.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    pooled = torch.stack([hidden[0].mean(0), hidden[1, :3].mean(0)])
    expected = network.project(pooled.expand(3, 2, 16))
    torch.testing.assert_close(network(ids, mask).concept_logits, expected, rtol=1e-5, atol=1e-5)


@architectures
@pytest.mark.parametrize("dense", [True, False])
def test_padding_changes_nothing(tiny_models, arch, dense):
    model = with_masks(tiny_models[arch], None) if dense else tiny_models[arch]
    (item,) = model.encode(["The food was great."])
    ids, mask = torch.tensor([item.ids]), torch.ones(1, len(item.ids), dtype=torch.long)
    expected = model.cbm(ids, mask, model.weights)
    for extra in (1, 7, 40):
        padded = torch.nn.functional.pad(ids, (0, extra), value=model.tokenizer.pad_token_id)
        output = model.cbm(padded, torch.nn.functional.pad(mask, (0, extra)), model.weights)
        torch.testing.assert_close(output.concept_logits, expected.concept_logits, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(output.label_logits, expected.label_logits, rtol=1e-5, atol=1e-5)


@architectures
def test_batch_size_and_company_change_nothing(tiny_models, arch):
    model = tiny_models[arch]
    alone = [model.predict([text]) for text in TEXTS]
    for batch_size in (1, 2, 3, 50):
        together = model.predict(TEXTS, batch_size)
        for i, one in enumerate(alone):
            torch.testing.assert_close(together.label_logits[i], one.label_logits[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(
                together.concept_logits[i], one.concept_logits[0], rtol=1e-4, atol=1e-5
            )
    assert not torch.allclose(alone[0].label_logits, alone[1].label_logits, atol=1e-2)


@architectures
def test_the_standard_classifier_ignores_padding_too(arch):
    model = standard(arch)
    alone = torch.cat([model.predict([text]).label_logits for text in TEXTS])
    torch.testing.assert_close(model.predict(TEXTS).label_logits, alone, rtol=1e-4, atol=1e-5)


@architectures
def test_any_hidden_size_works(arch):
    """The published code knows 768 only."""
    sizes = {"distilbert": {"dim": 24, "hidden_dim": 40, "n_heads": 3, "n_layers": 1}}.get(
        arch, {"hidden_size": 24, "num_attention_heads": 3, "num_hidden_layers": 1}
    )
    inner = {"opt": {"ffn_dim": 40, "word_embed_proj_dim": 24}}.get(arch, {"intermediate_size": 40})
    config = {"model_type": arch, "vocab_size": 30, "max_position_embeddings": 20, "pad_token_id": 1, **sizes}
    network = SparseCBM(build_backbone(config | (inner if arch != "distilbert" else {})), SPACE)
    assert network.projector.shape == (3, 3, 24)
    ids = torch.tensor([[5, 6, 7]])
    assert network(ids, torch.ones_like(ids)).label_logits.shape == (1, 4)


def test_opt_whose_embeddings_are_narrower_than_its_layers():
    """OPT-350M: word_embed_proj_dim 512, hidden size 1024."""
    config = {
        "model_type": "opt",
        "vocab_size": 30,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "ffn_dim": 32,
        "word_embed_proj_dim": 8,
        "max_position_embeddings": 20,
        "do_layer_norm_before": False,
    }
    network = SparseCBM(build_backbone(config), SPACE).eval()
    assert network.projector.shape == (3, 3, 8)
    assert not any("project_" in name for name in network.masked_layers)
    ids = torch.tensor([[5, 6, 7], [8, 9, 1]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert network.embed(ids).shape == (2, 3, 8)
    assert network(ids, mask).concept_logits.shape == (2, 3, 3)
    rows = network.embed(ids).repeat_interleave(3, 0)
    torch.testing.assert_close(
        network.row_logits(rows, mask.repeat_interleave(3, 0), None).unflatten(0, (2, 3)),
        network(ids, mask).concept_logits,
    )


@pytest.mark.parametrize(("concepts", "states", "labels"), [(1, 2, 2), (5, 4, 3)])
def test_any_number_of_concepts_states_and_labels(concepts, states, labels):
    space = ConceptSpace(
        *(
            tuple(f"{kind}{i}" for i in range(n))
            for kind, n in zip("ksy", (concepts, states, labels), strict=True)
        )
    )
    network = SparseCBM(make_tiny("bert").network.encoder, space)
    ids = torch.tensor([[2, 5, 3]])
    output = network(ids, torch.ones_like(ids))
    assert output.concept_logits.shape == output.activations.shape == (1, concepts, states)
    assert output.label_logits.shape == (1, labels)


def test_a_standard_classifier_has_no_concepts():
    model = standard()
    predictions = model.predict(TEXTS)
    assert predictions.concept_logits is None
    assert predictions.activations is None
    assert predictions.labels.tolist() == predictions.label_logits.argmax(-1).tolist()
    with pytest.raises(InputError, match="predicts no concepts"):
        _ = predictions.states
    with pytest.raises(InputError, match="no concepts to read"):
        _ = model.cbm


def test_predictions_and_progress(tiny_model):
    seen = []
    predictions = tiny_model.predict(TEXTS, 3, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 4), (4, 4)]
    assert predictions.states.tolist() == predictions.concept_logits.argmax(-1).tolist()
    assert torch.equal(predictions.activations, predictions.concept_logits.sigmoid())
    with pytest.raises(InputError, match="no text given"):
        tiny_model.predict([])


def test_other_weights_can_stand_in_for_the_models_own(tiny_model):
    dense = with_masks(tiny_model, None).predict(TEXTS).label_logits
    own = tiny_model.predict(TEXTS).label_logits
    other = tiny_model.predict(TEXTS, weights=make_tiny("bert", seed=3).weights).label_logits
    assert not torch.allclose(own, dense, atol=1e-2)
    assert not torch.allclose(own, other, atol=1e-2)
    torch.testing.assert_close(tiny_model.predict(TEXTS).label_logits, own, rtol=0, atol=0)


def test_weights_first_made_in_inference_mode_can_be_differentiated_through():
    model = make_tiny("bert")
    with torch.inference_mode():
        model.predict(TEXTS)
        shared = model.weights
    assert not any(matrix.stacked.is_inference() for matrix in shared.matrices.values())
    ids = torch.tensor([[2, 5, 7, 3]] * 3)
    embeds = model.cbm.embed(ids).detach().requires_grad_()
    model.cbm.row_logits(embeds, torch.ones_like(ids), shared).sum().backward()
    assert embeds.grad.abs().sum() > 0


def test_the_fingerprint_follows_weights_and_masks():
    first, same, other = make_tiny("bert"), make_tiny("bert"), make_tiny("bert", seed=1)
    assert first.fingerprint == same.fingerprint
    assert len({first.fingerprint, other.fingerprint, with_masks(first, None).fingerprint}) == 3
    assert with_masks(first, other.masks).fingerprint not in (first.fingerprint, other.fingerprint)

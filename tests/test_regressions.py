"""What the published SparseCBM code gets wrong, one test for each, by the number of the fault.

The numbers are those of the list in each docstring's first line; every test fails on code that
behaves as the published one does. Those about masks, 7 to 10, are in tests/pruning/test_regressions.py.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import f1_score

from sparsecbm_core.evaluate.report import evaluate_model
from sparsecbm_core.models.backbone import build_backbone
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import CBMOutput, SparseCBM
from sparsecbm_core.training.losses import LabelledBatch, joint_loss
from sparsecbm_core.training.trainer import Trainer
from tests.models.complete import complete
from tests.tiny import ARCHITECTURES, REVIEW, SPACE, random_masks, with_masks
from tests.toy import dataset, quick_settings, read_log, save_backbone, toy_reviews

K = SPACE.num_concepts
TEXTS = [REVIEW, "The food was great.", "The music was too loud, and the waiters were slow and rude."]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> str:
    return save_backbone(tmp_path_factory.mktemp("backbone") / "bert")


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_1_every_subnetwork_is_used(tiny_models, arch):
    """1: the forward pass always uses mask 0."""
    model = tiny_models[arch]
    other = random_masks(model.cbm, seed=1)
    before = model.predict(TEXTS).concept_logits
    for k, concept in enumerate(SPACE.concepts):
        masks = model.masks.with_concept(
            concept, {name: other.concept_bool(name, concept) for name in other.shapes}
        )
        after = with_masks(model, masks).predict(TEXTS).concept_logits
        changed = [not torch.allclose(before[:, j], after[:, j], atol=1e-3) for j in range(K)]
        assert changed == [j == k for j in range(K)]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_1_masks_of_ones_are_the_dense_model(tiny_models, arch):
    """1: the forward pass always uses mask 0."""
    model = tiny_models[arch]
    ones = MaskSet.ones(SPACE.concepts, model.cbm.mask_shapes)
    dense, masked = (with_masks(model, masks).predict(TEXTS) for masks in (None, ones))
    torch.testing.assert_close(masked.label_logits, dense.label_logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("concept", SPACE.concepts)
def test_2_any_concepts_mask_moves_the_label(tiny_model, concept):
    """2: the label comes from the first concept's pass alone."""
    other = random_masks(tiny_model.cbm, seed=2)
    masks = tiny_model.masks.with_concept(
        concept, {name: other.concept_bool(name, concept) for name in other.shapes}
    )
    before, after = (with_masks(tiny_model, m).predict(TEXTS).label_logits for m in (tiny_model.masks, masks))
    assert ((before - after).abs().max(dim=1).values > 1e-3).all()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_3_logits_do_not_depend_on_padding(tiny_models, arch):
    """3: mean pooling includes padding."""
    model = tiny_models[arch]
    (item,) = model.encode(["The food was great."])
    length, longest = len(item.ids), model.max_length
    ids = torch.full((1, longest), model.tokenizer.pad_token_id)
    ids[0, :length] = torch.tensor(item.ids)
    mask = (torch.arange(longest) < length).long()[None]
    padded = model.cbm(ids, mask, model.weights)
    bare = model.cbm(ids[:, :length], mask[:, :length], model.weights)
    torch.testing.assert_close(padded.concept_logits, bare.concept_logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(padded.label_logits, bare.label_logits, rtol=1e-4, atol=1e-5)


def test_4_the_concept_loss_can_fall_to_zero(backbone, tmp_path):
    """4: cross-entropy over sigmoid outputs, which cannot fall below 0.551 a concept."""
    data = toy_reviews(40)
    rates = {"encoder_lr": 3e-3, "projector_lr": 2e-2, "dropout": 0.0}
    settings = quick_settings(backbone, kind="cbm", dense_epochs=25, **rates)
    Trainer(settings, data, data, tmp_path, device="cpu").run()
    losses = [entry["concept_loss"] / K for entry in read_log(tmp_path) if entry["event"] == "epoch"]
    assert losses[0] > 0.551
    assert losses[-1] < 0.551 / 2


def test_4_the_concept_loss_reads_logits():
    """4: cross-entropy over sigmoid outputs, which cannot fall below 0.551 a concept."""
    logits = torch.tensor([[[30.0, -30.0, -30.0]] * K])
    output = CBMOutput(logits, logits.sigmoid(), torch.zeros(1, SPACE.num_labels), logits)
    targets = torch.tensor([[[1.0, 0.0, 0.0]] * K])
    batch = LabelledBatch(torch.zeros(1, 1), torch.ones(1, 1), targets, torch.tensor([0]))
    assert joint_loss(output, batch, gamma=1.0).concept.item() < 1e-6


def test_5_the_best_epoch_is_kept(backbone, tmp_path, monkeypatch):
    """5: the best score is reset inside the epoch loop, so the last epoch is saved."""
    dev, logits, scores = toy_reviews(12, "dev"), [], iter([0.2, 0.8, 0.1])

    def scored(predictions, _):
        logits.append(predictions.label_logits)
        return {"task_accuracy": 0.0, "score": next(scores)}

    monkeypatch.setattr("sparsecbm_core.training.phase.accuracies", scored)
    settings = quick_settings(backbone, kind="cbm", dense_epochs=3)
    model = Trainer(settings, toy_reviews(24), dev, tmp_path, device="cpu").run()
    final = model.predict(dev.texts).label_logits
    assert [bool((final - seen).abs().max() < 0.02) for seen in logits] == [False, True, False]


def test_6_test_figures_do_not_see_dev(tiny_model):
    """6: test F1 is computed on dev and test pooled."""
    dev, test = toy_reviews(20, "dev"), toy_reviews(30, "test")
    evaluate_model(tiny_model, dev)
    report = evaluate_model(tiny_model, test)
    pooled = [*dev, *test]
    for data, is_it in ((test, True), (pooled, False)):
        predictions = tiny_model.predict([example.text for example in data])
        task = f1_score([e.label for e in data], predictions.labels, average="macro")
        concept = np.mean(
            [
                f1_score([e.concepts[k] for e in data], predictions.states[:, k], average="macro")
                for k in range(K)
            ]
        )
        assert (report.task_macro_f1 == pytest.approx(task)) == is_it
        assert (report.concept_macro_f1 == pytest.approx(concept)) == is_it


def test_6_training_reads_no_other_split(backbone, tmp_path):
    """6: test F1 is computed on dev and test pooled."""
    settings = quick_settings(backbone, kind="cbm", dense_epochs=1)
    model = Trainer(settings, toy_reviews(16), toy_reviews(10, "dev"), tmp_path, device="cpu").run()
    assert {split: report["examples"] for split, report in model.metrics.items()} == {"dev": 10}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_11_a_checkpoint_is_tensors_and_text(arch, tmp_path, tiny_models):
    """11: whole models are pickled. Here every file but the card opens as safetensors or as JSON, also those
    of a family's tokenizer, which a library writes."""
    complete(tiny_models[arch]).save_pretrained(tmp_path)
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        if path.suffix == ".safetensors":
            assert load_file(path)
        elif path != tmp_path / "README.md":
            assert json.loads(path.read_bytes())


@pytest.mark.parametrize("hidden", [8, 24, 48])
def test_12_any_hidden_size(hidden, tmp_path, tiny_model):
    """12: the hidden size is fixed at 768."""
    config = {"model_type": "bert", "hidden_size": hidden, "num_hidden_layers": 1, "num_attention_heads": 4}
    config |= {"intermediate_size": 2 * hidden, "vocab_size": 400, "max_position_embeddings": 64}
    network = SparseCBM(build_backbone(config), SPACE).eval().requires_grad_(False)
    model = ConceptModel(network, tiny_model.tokenizer, random_masks(network), 64)
    model.save_pretrained(tmp_path / "model")
    loaded = ConceptModel.from_pretrained(tmp_path / "model")
    assert loaded.cbm.projector.shape == (K, 3, hidden)
    assert loaded.predict(TEXTS).label_logits.shape == (3, 4)


def test_12_opt_with_embeddings_narrower_than_its_layers(tmp_path, tiny_models):
    """12: the hidden size is fixed at 768."""
    config = {"model_type": "opt", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config |= {"ffn_dim": 32, "word_embed_proj_dim": 8, "vocab_size": 400, "max_position_embeddings": 64}
    network = SparseCBM(build_backbone(config), SPACE).eval().requires_grad_(False)
    model = ConceptModel(network, tiny_models["opt"].tokenizer, random_masks(network), 64)
    model.save_pretrained(tmp_path / "model")
    loaded = ConceptModel.from_pretrained(tmp_path / "model")
    assert loaded.cbm.projector.shape == (K, 3, 8)
    assert evaluate_model(loaded, dataset(list(toy_reviews(6)))).examples == 6

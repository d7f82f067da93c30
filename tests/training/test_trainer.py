"""Whole runs on a tiny encoder: they learn, repeat, and end at their sparsity."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.config import CRITERIA
from sparsecbm_core.evaluate.leakage import fit_concept_head
from sparsecbm_core.evaluate.report import evaluate_model
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.pruning.select import kept_total
from sparsecbm_core.training.run import Run
from sparsecbm_core.training.trainer import STATE_FILE
from tests.tiny import ARCHITECTURES, SPACE
from tests.toy import dataset, make_example, quick_settings, read_log, save_backbone, toy_reviews
from tests.training.runs import DEV, KINDS, TRAIN, events, same_weights, train, weights


@pytest.fixture(scope="module")
def sparse_run(backbone, tmp_path_factory):
    """One run of the default kind: (model, output, progress reports)."""
    output, reports = tmp_path_factory.mktemp("run"), []
    return train(backbone, output, on_progress=lambda *report: reports.append(report)), output, reports


def test_a_run_learns(backbone, tmp_path):
    """Of the concept bottleneck, see `test_4_the_concept_loss_can_fall_to_zero`."""
    data = toy_reviews(40)
    rates = {"encoder_lr": 3e-3, "projector_lr": 2e-2, "dropout": 0.0}
    model = train(backbone, tmp_path, data=data, dev=data, kind="standard", dense_epochs=20, **rates)
    epochs = events(tmp_path, "epoch")
    assert epochs[-1]["task_loss"] < 0.6 * epochs[0]["task_loss"]
    assert model.metrics["train"]["task_accuracy"] > 0.8


def test_a_sparse_run_learns_under_its_masks(backbone, tmp_path):
    data = toy_reviews(40)
    rates = {"sparse_encoder_lr": 5e-3, "projector_lr": 2e-2, "dropout": 0.0}
    model = train(
        backbone,
        tmp_path,
        {"updates": 2, "schedule_share": 0.1},
        data=data,
        dev=data,
        dense_epochs=0,
        sparse_epochs=20,
        **rates,
    )
    epochs = events(tmp_path, "epoch")
    assert [epoch["phase"] for epoch in epochs] == ["sparse"] * 20
    assert epochs[-1]["concept_loss"] < 0.3 * epochs[0]["concept_loss"]
    assert model.metrics["train"]["concept_accuracy"] > 0.9
    dense = model.predict(data.texts, weights=all_ones(model))
    gold = torch.tensor([example.concepts for example in data])
    # what was trained are the subnetworks, not the dense encoder
    assert (dense.states == gold).float().mean() < model.metrics["train"]["concept_accuracy"]


def all_ones(model):
    return model.cbm.weights_for(MaskSet.ones(model.space.concepts, model.cbm.mask_shapes))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_runs(backbone, tmp_path, kind):
    first = train(backbone, tmp_path / "first", kind=kind, seed=1)
    torch.rand(3)  # whatever happened before does not matter
    second = train(backbone, tmp_path / "second", kind=kind, seed=1)
    assert same_weights(first, second)
    assert first.masks == second.masks
    assert first.fingerprint == second.fingerprint
    assert read_log(tmp_path / "first") == read_log(tmp_path / "second")
    other = train(backbone, tmp_path / "other", kind=kind, seed=2)
    assert not same_weights(first, other)
    assert read_log(tmp_path / "first")[1:] != read_log(tmp_path / "other")[1:]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_ends_in_a_checkpoint_of_its_kind(backbone, tmp_path, kind):
    model = train(backbone, tmp_path, kind=kind)
    assert model.kind == kind
    loaded = ConceptModel.from_pretrained(tmp_path / "model")
    assert same_weights(loaded, model)
    assert loaded.masks == model.masks
    assert loaded.predict(DEV.texts).label_logits.tolist() == model.predict(DEV.texts).label_logits.tolist()
    assert not (tmp_path / STATE_FILE).exists()
    phases = [entry["phase"] for entry in events(tmp_path, "epoch")]
    assert phases == ["dense"] * 2 + (["sparse"] * 2 if kind == "sparse" else [])
    assert (model.head is None) == (kind == "standard")
    assert list(model.metrics) == ["dev"]
    assert model.metrics["dev"]["examples"] == len(DEV)


def test_the_checkpoint_records_how_it_was_made(sparse_run):
    model, output, _ = sparse_run
    training = model.training
    assert training["settings"] == json.loads(
        json.dumps(quick_settings(training["settings"]["backbone"]).applied())
    )
    assert (training["data"], training["train_split"], training["dev_split"]) == ("toy", "train", "dev")
    assert training["train_examples"] == len(TRAIN)
    assert training["precision"] == "float32"
    assert training["init"] is None
    (finish,) = events(output, "finish")
    stored = {key: value for key, value in model.metrics["dev"].items() if key != "seconds"}
    assert finish["dev"] == json.loads(json.dumps(stored))


def test_reference_activations_and_head_come_from_the_training_data(sparse_run):
    model, _, _ = sparse_run
    mean = model.predict(TRAIN.texts).activations.mean(0)
    torch.testing.assert_close(model.cbm.mean_activations, mean, atol=1e-3, rtol=0)
    for actual, expected in zip(model.head, fit_concept_head(TRAIN), strict=True):
        assert torch.equal(actual, expected)


def test_a_model_knows_the_words_of_its_training_reviews(backbone, tmp_path, sparse_run):
    """Where dev is large enough to say how often it errs."""
    assert sparse_run[0].words is None
    dev = toy_reviews(60, "dev")
    model = train(backbone, tmp_path, dev=dev, kind="cbm", dense_epochs=1)
    assert 0 <= model.metrics["dev"]["unfamiliar"] <= 0.02
    own, other = model.encode([TRAIN.texts[0], "zzz qqq xxx 77 yyy"])
    assert model.familiar(own)
    assert not model.familiar(other)


def test_the_weights_measured_are_the_weights_stored(sparse_run):
    """Rounded to the precision of the file before anything is measured."""
    model, _, _ = sparse_run
    assert all(torch.equal(tensor, tensor.half().float()) for tensor in weights(model).values())
    recorded, measured = model.metrics["dev"], evaluate_model(model, DEV).to_dict()
    assert {**recorded, "seconds": 0} == {**measured, "seconds": 0}  # down to the last digit of the ECE


def test_masks_end_at_exactly_the_sparsity_asked_for(sparse_run):
    model, output, _ = sparse_run
    keep = kept_total(4096, 0.75)
    assert {sum(kept.values()) for kept in model.masks.kept().values()} == {keep}
    updates = events(output, "masks")
    assert [entry["update"] for entry in updates] == [1, 2, 3]
    reached = [next(iter(set(entry["sparsity"].values()))) for entry in updates]
    assert reached == pytest.approx([0.75 * (1 - (1 - u / 3) ** 3) for u in (1, 2, 3)], abs=1 / 4096)
    assert max(reached) == reached[-1] == 1 - keep / 4096
    assert updates[-1]["jaccard"] == pytest.approx(np.mean(list(model.masks.jaccard().values())))


def test_chance_takes_further_weights_and_gives_none_back(backbone, tmp_path, monkeypatch):
    """As the other criteria very nearly do: what it lacks is a reason, not steadiness."""
    seen, set_masks = [], Run.set_masks
    monkeypatch.setattr(Run, "set_masks", lambda self, m: (seen.append(m), set_masks(self, m))[1])
    train(backbone, tmp_path, {"criterion": "random", "exclusivity": 0.0}, dense_epochs=0)
    updates = [masks.to_bool(next(iter(masks.shapes))) for masks in seen]
    sizes = sorted({int(bits.sum()) for bits in updates}, reverse=True)
    assert len(sizes) == 4  # all weights, then three updates
    for before, after in pairwise(updates):
        assert not (after & ~before).any()


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("scope", ["global", "matrix"])
def test_every_criterion_and_scope_trains(backbone, tmp_path, criterion, scope):
    prune = {"criterion": criterion, "scope": scope, "sparsity": 0.7, "num_grads": 2}
    model = train(backbone, tmp_path, prune, dense_epochs=0, sparse_epochs=1)
    assert {sum(kept.values()) for kept in model.masks.kept().values()} == {kept_total(4096, 0.7)}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_architecture_trains(tmp_path, arch):
    folder = save_backbone(tmp_path / "backbone", arch)
    model = train(folder, tmp_path / "run", dense_epochs=1, sparse_epochs=1)
    assert model.cbm.encoder.config.model_type == arch
    assert {sum(kept.values()) for kept in model.masks.kept().values()} == {kept_total(4096, 0.75)}


def test_bfloat16_trains(backbone, tmp_path):
    model = train(backbone, tmp_path, precision="bfloat16")
    assert model.training["precision"] == "bfloat16"
    assert all(tensor.isfinite().all() for tensor in weights(model).values())
    assert next(iter(weights(model).values())).dtype == torch.float32


def test_one_concept_has_nothing_to_overlap_with(backbone, tmp_path):
    space = ConceptSpace(("food",), SPACE.states, SPACE.labels)
    examples = [replace(example, concepts=example.concepts[:1]) for example in TRAIN]
    data, dev = dataset(examples, "train", space), dataset(examples, "dev", space)
    model = train(backbone, tmp_path, data=data, dev=dev)
    assert model.metrics["dev"]["jaccard"] is None
    assert [entry["jaccard"] for entry in events(tmp_path, "masks")] == [None] * 3


def test_fewer_reviews_than_a_batch(backbone, tmp_path):
    few = dataset([make_example(i, (i % 3, 0, 2), i % 2) for i in range(3)], "train")
    model = train(backbone, tmp_path, data=few)
    assert {sum(kept.values()) for kept in model.masks.kept().values()} == {1024}


def test_votes_change_the_targets(backbone, tmp_path):
    votes = ((0.3, 0.3, 0.4),) * 3
    data = dataset([replace(example, votes=votes) for example in TRAIN], "train")
    hard = train(backbone, tmp_path / "hard", data=data, kind="cbm")
    soft = train(backbone, tmp_path / "soft", data=data, kind="cbm", soft_concepts=0.5)
    assert not same_weights(hard, soft)
    assert same_weights(hard, train(backbone, tmp_path / "none", data=TRAIN, kind="cbm"))


def test_progress_rises_to_its_total(sparse_run):
    _, _, reports = sparse_run
    done, totals, messages = zip(*reports, strict=True)
    assert len(set(totals)) == 1
    assert list(done) == sorted(done)
    assert done[-1] == totals[0]
    assert done[0] == 0
    # a sparse step reads every review once for each concept; an update takes one gradient after another
    assert totals[0] == 6 + 4 * 6 + 4 * 3 * 4
    assert any(message == "dense epoch 2/2" for message in messages)
    assert any(message == "mask update 2/3: gradient 3/4" for message in messages)
    during = [d for d, m in zip(done, messages, strict=True) if m.startswith("mask update 2/3")]
    assert during == sorted(set(during))  # it moves while masks are updated


@pytest.mark.parametrize("criterion", ["magnitude", "second_order"])
def test_progress_ends_at_its_total_for_every_criterion(backbone, tmp_path, criterion):
    reports = []
    train(backbone, tmp_path, {"criterion": criterion}, on_progress=lambda *report: reports.append(report))
    done, totals, _ = zip(*reports, strict=True)
    assert list(done) == sorted(done)
    assert done[-1] == totals[-1]

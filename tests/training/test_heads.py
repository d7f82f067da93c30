"""Concept bottlenecks whose label head is trained after the concepts: sequentially and independently."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from sparsecbm_core.config import HEAD_KINDS
from sparsecbm_core.errors import SettingsError, TrainingError
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.training.heads import HeadTask, fresh_head, phase_scores
from sparsecbm_core.training.losses import concept_targets
from sparsecbm_core.training.trainer import STATE_FILE, Trainer
from tests.tiny import SPACE, make_tiny
from tests.toy import dataset, quick_settings, read_log, toy_reviews
from tests.training.runs import DEV, TRAIN, dense_model, events, same_weights, train, weights

QUICK = {"head_epochs": 3}


@pytest.fixture(scope="module")
def runs(backbone, tmp_path_factory):
    """Kind → (model, output folder), of one seed."""
    made = {}
    for kind in HEAD_KINDS:
        output = tmp_path_factory.mktemp(kind)
        made[kind] = train(backbone, output, kind=kind, **QUICK), output
    return made


def parts(model):
    """What comes before the head, and the head."""
    state = weights(model)
    head = {name for name in state if name.startswith("classifier")}
    before = {name: tensor for name, tensor in state.items() if name not in head | {"mean_activations"}}
    return before, {name: state[name] for name in head}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_both_have_the_same_concepts_and_heads_of_their_own(runs):
    (sequential, _), (independent, _) = runs["sequential"], runs["independent"]
    (concepts, head), (same_concepts, other_head) = parts(sequential), parts(independent)
    assert same(concepts, same_concepts)
    assert not same(head, other_head)
    first, second = sequential.metrics["dev"], independent.metrics["dev"]
    assert first["concept_accuracy"] == second["concept_accuracy"]


@pytest.mark.parametrize("kind", HEAD_KINDS)
def test_a_run_ends_in_a_dense_concept_bottleneck(runs, kind):
    model, output = runs[kind]
    assert model.kind == "cbm"
    loaded = ConceptModel.from_pretrained(output / "model")
    assert same_weights(loaded, model)
    assert loaded.training["settings"]["kind"] == kind
    assert loaded.training["settings"]["head_epochs"] == 3
    assert loaded.training["settings"]["gamma"] is None
    assert loaded.training["settings"] == json.loads(
        json.dumps(quick_settings(loaded.training["settings"]["backbone"], kind=kind, **QUICK).applied())
    )
    assert model.metrics["dev"]["examples"] == len(DEV)
    assert f"# {kind} concept bottleneck model" in (output / "model" / "README.md").read_text("utf-8")
    assert not (output / STATE_FILE).exists()
    mean = model.predict(TRAIN.texts).activations.mean(0)
    torch.testing.assert_close(model.cbm.mean_activations, mean, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", HEAD_KINDS)
def test_the_log_says_what_each_phase_learned(runs, kind):
    _, output = runs[kind]
    epochs = events(output, "epoch")
    assert [(epoch["phase"], epoch["epoch"]) for epoch in epochs] == [
        *[("concepts", i) for i in (1, 2)],
        *[("head", i) for i in (1, 2, 3)],
    ]
    for epoch in epochs[:2]:
        assert epoch["task_loss"] == 0.0 < epoch["concept_loss"]
        assert "task_accuracy" not in epoch  # of a head that has learned nothing
        assert epoch["score"] == epoch["concept_accuracy"]
    for epoch in epochs[2:]:
        assert epoch["concept_loss"] == 0.0 < epoch["task_loss"]
        assert epoch["score"] == epoch["task_accuracy"]
    first, second = events(output, "best")
    assert (first["phase"], second["phase"]) == ("concepts", "head")
    assert first["score"] == max(epoch["concept_accuracy"] for epoch in epochs[:2])
    assert second["score"] == max(epoch["task_accuracy"] for epoch in epochs[2:])
    # the concepts no longer move: every epoch of the head reads those of the best one
    assert {epoch["concept_accuracy"] for epoch in epochs[2:]} == {first["score"]}


@pytest.mark.parametrize("kind", HEAD_KINDS)
def test_the_head_phase_leaves_encoder_and_projector_alone(backbone, tmp_path, kind):
    """One epoch of the head or five: what comes before it is the same to the bit."""
    short = train(backbone, tmp_path / "short", kind=kind, head_epochs=1)
    longer = train(backbone, tmp_path / "longer", kind=kind, head_epochs=5, classifier_lr=0.5)
    assert same(parts(short)[0], parts(longer)[0])
    assert not same(parts(short)[1], parts(longer)[1])


@pytest.mark.parametrize("kind", HEAD_KINDS)
def test_the_label_has_no_part_in_the_concepts(backbone, tmp_path, kind):
    """With labels drawn anew the concepts are learned to the same weights, and the head is another."""
    flipped = dataset([replace(example, label=3 - example.label) for example in TRAIN], "train")
    first = train(backbone, tmp_path / "first", kind=kind, **QUICK)
    second = train(backbone, tmp_path / "second", kind=kind, data=flipped, **QUICK)
    assert same(parts(first)[0], parts(second)[0])
    assert not same(parts(first)[1], parts(second)[1])


@pytest.mark.parametrize("kind", HEAD_KINDS)
@pytest.mark.parametrize("soft", [0.0, 0.5])
def test_what_each_head_learns_from(backbone, tmp_path, monkeypatch, kind, soft):
    """Predicted activations σ(ℓ) or the annotated states, with vote shares where the settings say so."""
    votes = ((0.3, 0.3, 0.4),) * 3
    data = dataset([replace(example, votes=votes) for example in TRAIN], "train")
    tasks = []

    def loss(self, indices, original=HeadTask.loss):
        tasks.append(self)
        return original(self, indices)

    monkeypatch.setattr(HeadTask, "loss", loss)
    model = train(backbone, tmp_path, kind=kind, data=data, soft_concepts=soft, **QUICK)
    task = tasks[0]
    assert all(other is task for other in tasks)  # made once
    if kind == "independent":
        assert torch.equal(task.inputs, concept_targets(data.examples, SPACE, soft))
        one_hot = concept_targets(data.examples, SPACE, 0.0)
        assert torch.equal(task.inputs, one_hot) == (soft == 0.0)
    else:
        expected = model.predict(data.texts).activations  # rounded to half precision since
        torch.testing.assert_close(task.inputs, expected, atol=2e-3, rtol=0)
    assert task.labels.argmax(-1).tolist() == [example.label for example in data]
    torch.testing.assert_close(task.dev_logits, model.predict(DEV.texts).concept_logits, atol=0.02, rtol=0)


def test_loss_and_predictions_by_hand():
    """φ of one label score: 2 a_00 − a_01 for the second of four labels, the others zero."""
    network = make_tiny("bert", density=None).cbm
    with torch.no_grad():
        network.classifier.zero_()
        network.classifier_bias.zero_()
        network.classifier[1, 0, 0], network.classifier[1, 0, 1] = 2.0, -1.0
    inputs, labels = torch.zeros(2, 3, 3), torch.eye(4)[[1, 0]]
    inputs[0, 0, 0] = 1.0  # scores 2 for its own label
    inputs[1, 0, 1] = 1.0  # scores −1 for a label that is not its own
    dev = torch.full((1, 3, 3), -50.0)
    dev[0, 0, 0] = 50.0  # σ: 1 and 0
    task = HeadTask(network, inputs, labels, dev)
    e = torch.e
    expected = [-torch.log(torch.tensor(e**2 / (e**2 + 3))), -torch.log(torch.tensor(1 / (3 + e**-1)))]
    torch.testing.assert_close(task.loss([0]).total, expected[0])
    torch.testing.assert_close(task.loss([1]).total, expected[1])
    torch.testing.assert_close(task.loss([0, 1]).total, (expected[0] + expected[1]) / 2)
    said = task.predictions()
    torch.testing.assert_close(said.label_logits, torch.tensor([[0.0, 2.0, 0.0, 0.0]]))
    assert said.states.tolist() == [[0, 0, 0]]
    assert not said.label_logits.requires_grad


def test_a_head_is_drawn_from_the_seed_alone():
    first, second = make_tiny("bert", seed=1).cbm, make_tiny("bert", seed=2).cbm
    fresh_head(first, 5)
    torch.rand(3)
    fresh_head(second, 5)
    assert torch.equal(first.classifier, second.classifier)
    assert first.classifier_bias.tolist() == [0.0] * 4
    fresh_head(second, 6)
    assert not torch.equal(first.classifier, second.classifier)


def test_phase_scores():
    scores = {"concept_accuracy": 0.8, "task_accuracy": 0.6, "score": 0.7}
    assert phase_scores(scores, "concepts") == {"concept_accuracy": 0.8, "score": 0.8}
    assert phase_scores(scores, "head") == {"concept_accuracy": 0.8, "task_accuracy": 0.6, "score": 0.6}
    assert phase_scores(scores, "dense") == phase_scores(scores, "sparse") == scores


@pytest.mark.parametrize("kind", HEAD_KINDS)
def test_each_phase_keeps_its_best_epoch(backbone, tmp_path, monkeypatch, kind):
    """Concepts by concept accuracy, though the task falls; heads by task accuracy."""
    script = [(0.2, 0.9), (0.8, 0.1), (0.5, 0.5), (0.8, 0.3), (0.8, 0.7), (0.8, 0.4)]
    logits = []

    def accuracies(predictions, _):
        concept, task = script[len(logits)]
        logits.append((predictions.concept_logits, predictions.label_logits))
        return {"concept_accuracy": concept, "task_accuracy": task, "score": (concept + task) / 2}

    monkeypatch.setattr("sparsecbm_core.training.phase.accuracies", accuracies)
    model = train(backbone, tmp_path, kind=kind, dense_epochs=3, head_epochs=3)
    assert [(entry["epoch"], entry["score"]) for entry in events(tmp_path, "best")] == [(2, 0.8), (2, 0.7)]
    final = model.predict(DEV.texts)
    torch.testing.assert_close(final.concept_logits, logits[1][0], atol=0.02, rtol=0)
    torch.testing.assert_close(final.label_logits, logits[4][1], atol=0.02, rtol=0)


def test_heads_learn(backbone, tmp_path):
    """The label is one more for each positive concept, which a linear head can say of the states."""
    data = toy_reviews(40)
    rates = {"encoder_lr": 5e-3, "projector_lr": 2e-2, "classifier_lr": 0.1, "dropout": 0.0}
    long = {"dense_epochs": 15, "head_epochs": 100}
    for kind in HEAD_KINDS:
        model = train(backbone, tmp_path / kind, data=data, dev=data, kind=kind, **rates, **long)
        assert model.metrics["train"]["concept_accuracy"] > 0.9
        assert model.metrics["train"]["task_accuracy"] > 0.7


@pytest.mark.parametrize("kind", HEAD_KINDS)
def test_equal_seeds_give_equal_runs(backbone, tmp_path, runs, kind):
    model, output = runs[kind]
    torch.rand(3)
    again = train(backbone, tmp_path / "again", kind=kind, **QUICK)
    assert same_weights(model, again)
    assert read_log(output) == read_log(tmp_path / "again")
    other = train(backbone, tmp_path / "other", kind=kind, seed=1, **QUICK)
    assert not same(parts(model)[1], parts(other)[1])


def test_another_head_on_concepts_that_are_learned(runs, tmp_path):
    """Both kinds share their concepts: the second costs its head alone."""
    sequential, _ = runs["sequential"]
    independent, _ = runs["independent"]
    model = train("unused", tmp_path, kind="independent", init=sequential, **QUICK)
    assert [entry["phase"] for entry in events(tmp_path, "epoch")] == ["head"] * 3
    assert same(parts(model)[0], parts(sequential)[0])
    # the same head as from the start: its inputs and draws are the same, and only rounding comes between
    for name, tensor in parts(independent)[1].items():
        torch.testing.assert_close(parts(model)[1][name], tensor, atol=2e-3, rtol=0)
    settings = model.training["settings"]
    assert settings["dense_epochs"] is settings["encoder_lr"] is settings["projector_lr"] is None
    assert model.training["init"]["settings"]["kind"] == "sequential"


def test_concepts_learned_with_the_label_are_refused(backbone, tmp_path):
    joint = train(backbone, tmp_path / "joint", kind="cbm", dense_epochs=1)
    for init in (joint, dense_model()):
        with pytest.raises(SettingsError, match="only from a model that learned them apart from the label"):
            train("unused", tmp_path, kind="sequential", init=init)
    with pytest.raises(SettingsError, match="that is dense and this one trains the label head alone"):
        train("unused", tmp_path, kind="sequential", init=make_tiny("bert"))


def test_a_sparse_run_can_start_from_a_sequential_model(runs, tmp_path):
    assert train("unused", tmp_path, init=runs["sequential"][0]).masks is not None


def test_a_head_that_is_not_finite_ends_the_run_at_its_step(backbone, tmp_path, monkeypatch):
    def loss(self, indices, original=HeadTask.loss):
        return replace(original(self, indices), task=torch.tensor(torch.nan, requires_grad=True))

    monkeypatch.setattr(HeadTask, "loss", loss)
    settings = quick_settings(backbone, kind="sequential", dense_epochs=1, head_epochs=1)
    with pytest.raises(TrainingError, match=r"^head epoch 1, step 1: task loss nan"):
        Trainer(settings, TRAIN, DEV, tmp_path, None, "cpu").run()


def test_progress_rises_to_its_total(backbone, tmp_path):
    reports = []
    train(backbone, tmp_path, kind="sequential", on_progress=lambda *report: reports.append(report), **QUICK)
    done, totals, messages = zip(*reports, strict=True)
    assert set(totals) == {2 * 3 + 3}  # steps of the concepts, epochs of the head
    assert list(done) == sorted(done)
    assert (done[0], done[-1]) == (0, totals[0])
    assert {"concepts epoch 2/2", "activations of the training data", "head epoch 3/3"} <= set(messages)


def test_bfloat16_trains(backbone, tmp_path):
    model = train(backbone, tmp_path, kind="sequential", precision="bfloat16", **QUICK)
    assert all(tensor.isfinite().all() for tensor in weights(model).values())

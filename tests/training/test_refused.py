"""Runs that are refused, warned of or ended, and what a trainer owes to its seed."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import DataError, SettingsError, SparseCBMWarning, TrainingError
from sparsecbm_core.training.run import Run
from sparsecbm_core.training.trainer import Trainer
from tests.tiny import SPACE, make_tiny
from tests.toy import dataset, quick_settings, toy_reviews
from tests.training.runs import DEV, KINDS, TRAIN, dense_model, events, same_weights, train


def prepare(backbone, output, prune=None, **values):
    return Trainer(quick_settings(backbone, prune, **values), TRAIN, DEV, output, None, "cpu")


def test_subnetworks_that_must_overlap_are_warned_of(backbone, tmp_path):
    """Three concepts are distinct from a sparsity of two thirds on: s ≥ 1 − 1/K."""
    with pytest.warns(SparseCBMWarning, match=r"at least 0\.6667 \(1 - 1/3\)"):
        prepare(backbone, tmp_path, {"sparsity": 0.6})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(backbone, tmp_path, {"sparsity": 1 - 1 / 3})
        prepare(backbone, tmp_path, {"sparsity": 0.6, "exclusivity": 0.0})
        prepare(backbone, tmp_path, {"sparsity": 0.6}, kind="cbm")


def test_what_is_drawn_between_making_and_running_a_trainer_does_not_matter(backbone, tmp_path):
    first, second = (prepare(backbone, tmp_path / name, kind="cbm") for name in ("first", "second"))
    model = first.run()  # draws, for dropout
    assert same_weights(model, second.run())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("broken", ["loss", "gradient"])
def test_what_is_not_finite_ends_the_run_at_its_step(backbone, tmp_path, monkeypatch, kind, broken):
    trainer = prepare(backbone, tmp_path, kind=kind)
    loss, steps = Run.loss, []

    def breaking(self, network, batch, weights):
        found = loss(self, network, batch, weights)
        steps.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        if len(steps) < 5:
            return found
        if broken == "loss":
            return replace(found, task=found.task * torch.nan)
        # √x at 0: the value is 0, its gradient infinite times 0
        return replace(found, task=found.task + (found.task * 0).sqrt())

    monkeypatch.setattr(Run, "loss", breaking)
    with pytest.raises(TrainingError, match=r"^dense epoch 2, step 2: .*nan") as caught:
        trainer.run()
    assert "\n" not in str(caught.value)
    assert all(
        torch.equal(tensor, steps[-1][name]) for name, tensor in trainer.current.network.state_dict().items()
    )


def test_the_log_has_the_concept_loss_without_its_weight(backbone, tmp_path):
    """γ near zero: the loss stays the untrained one's, near K·log C."""
    train(backbone, tmp_path, kind="cbm", dense_epochs=1, gamma=1e-9)
    (epoch,) = events(tmp_path, "epoch")
    assert epoch["concept_loss"] > 3 * np.log(3) / 2


def test_a_run_that_makes_no_sense_is_refused(backbone, tmp_path):
    def refused(error, match, data=TRAIN, dev=DEV, init=None, **values):
        with pytest.raises(error, match=match):
            train(backbone, tmp_path, data=data, dev=dev, init=init, **values)

    refused(DataError, "split 'train' of toy has no usable rows", data=dataset([], "train"))
    refused(DataError, "split 'dev' of toy has no usable rows", dev=dataset([], "dev"))
    other = ConceptSpace(("a", "b", "c"), SPACE.states, SPACE.labels)
    refused(DataError, "train and dev differ", dev=toy_reviews(3, "dev", space=SPACE_WITH_MORE_LABELS))
    refused(SettingsError, "max_length 65 exceeds the encoder's 64 positions", max_length=65)
    refused(SettingsError, "only if this one is sparse", init=dense_model(), kind="cbm")
    refused(SettingsError, "only if this one is sparse", init=make_tiny("bert"), kind="sequential")
    examples = list(TRAIN.examples)
    refused(
        SettingsError,
        "other concepts, states or labels",
        data=dataset(examples, "train", other),
        dev=dataset(examples, "dev", other),
        init=dense_model(),
    )


SPACE_WITH_MORE_LABELS = ConceptSpace(SPACE.concepts, SPACE.states, (*SPACE.labels, "5"))

"""Sparse runs that learn from other models."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sparsecbm_core.errors import CheckpointError, SettingsError
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from sparsecbm_core.training.teacher import taught
from sparsecbm_core.training.trainer import Trainer
from tests.tiny import SPACE, make_tiny
from tests.toy import quick_settings
from tests.training.runs import DEV, TRAIN, dense_model, same_weights, train
from tests.training.stopping import Stopped, stopping_at


def test_teachers_are_heard_equally(tmp_path):
    first, second = dense_model(), dense_model("distilbert")
    settings = quick_settings("unused", distillation=0.5)
    trainer = Trainer(settings, TRAIN, DEV, tmp_path, dense_model(), "cpu", teachers=(first, second))
    said = taught(trainer.current)
    apart = [model.predict(TRAIN.texts) for model in (first, second)]
    concepts = torch.stack([one.concept_logits.softmax(-1) for one in apart]).mean(0)
    labels = torch.stack([one.label_logits.softmax(-1) for one in apart]).mean(0)
    torch.testing.assert_close(said["concepts"], concepts)
    torch.testing.assert_close(said["labels"], labels)


def test_the_dense_model_that_a_run_starts_from_teaches_as_any_other(tmp_path):
    dense = dense_model()
    own = train("unused", tmp_path / "own", init=dense, distillation=0.5)
    given = train("unused", tmp_path / "given", init=dense, distillation=0.5, teachers=(dense,))
    other = train("unused", tmp_path / "other", init=dense, distillation=0.5, teachers=(dense_model("opt"),))
    assert same_weights(own, given)
    assert not same_weights(own, other)
    assert "teachers" not in own.training
    assert given.training["teachers"] == [{"fingerprint": dense.fingerprint, **dense.training}]


def test_a_run_without_a_dense_phase_can_have_teachers(backbone, tmp_path):
    model = train(backbone, tmp_path, dense_epochs=0, distillation=0.5, teachers=(dense_model(),))
    assert model.masks is not None


def test_a_stopped_run_goes_on_only_with_its_own_teachers(tmp_path):
    def run(teacher, on_progress=lambda *_: None, resume=False):
        settings = quick_settings("unused", distillation=0.5)
        return Trainer(
            settings, TRAIN, DEV, tmp_path, dense_model(), "cpu", 0.0, on_progress, (teacher,)
        ).run(resume)

    with pytest.raises(Stopped):
        run(dense_model(), stopping_at(20))
    with pytest.raises(CheckpointError, match="teachers"):
        run(dense_model("opt"), resume=True)
    assert run(dense_model(), resume=True).masks is not None


def other_concepts():
    return make_tiny("bert", density=None, space=replace(SPACE, concepts=("food", "service", "price")))


def no_concepts():
    model = dense_model()
    return replace(model, network=StandardClassifier(model.network.encoder, SPACE))


@pytest.mark.parametrize(
    ("teacher", "share", "message"),
    [
        (dense_model, 0.0, "teachers need a distillation above 0"),
        (other_concepts, 0.5, "a teacher has to be a model with the concepts, states and labels of toy"),
        (no_concepts, 0.5, "a teacher has to be a model with the concepts"),
    ],
    ids=["no share", "other concepts", "no concepts"],
)
def test_unfit_teachers_are_refused(tmp_path, teacher, share, message):
    settings = quick_settings("unused", distillation=share)
    with pytest.raises(SettingsError, match=message):
        Trainer(settings, TRAIN, DEV, tmp_path, dense_model(), "cpu", teachers=(teacher(),))

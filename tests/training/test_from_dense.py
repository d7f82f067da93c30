"""Sparse runs that start from a model, or learn from one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.config import METHODS
from sparsecbm_core.errors import SettingsError
from sparsecbm_core.training.teacher import taught
from sparsecbm_core.training.trainer import Trainer
from tests.tiny import ARCHITECTURES, SPACE
from tests.toy import dataset, quick_settings
from tests.training.runs import DEV, TRAIN, dense_model, events, same_weights, train, weights


def test_the_dense_model_teaches_the_subnetworks(backbone, tmp_path):
    dense = train(backbone, tmp_path / "dense", kind="cbm")
    alone = train("unused", tmp_path / "alone", init=dense)
    taught = train("unused", tmp_path / "taught", init=dense, distillation=0.5)
    assert not same_weights(alone, taught)
    with pytest.raises(SettingsError, match="distillation needs a dense model to learn from"):
        train(backbone, tmp_path, dense_epochs=0, distillation=0.5)


def test_a_sparse_run_starts_from_a_dense_model(backbone, tmp_path):
    dense = train(backbone, tmp_path / "dense", kind="cbm")
    before = {name: tensor.clone() for name, tensor in weights(dense).items()}
    sparse = train("unused", tmp_path / "sparse", init=dense)
    assert sparse.kind == "sparse"
    assert [entry["phase"] for entry in events(tmp_path / "sparse", "epoch")] == ["sparse"] * 2
    # the whole way to the model is recorded, and nothing that did not happen
    assert sparse.training["init"] == {"fingerprint": dense.fingerprint, **dense.training}
    settings = sparse.training["settings"]
    assert settings["dense_epochs"] is settings["encoder_lr"] is None
    assert settings["backbone"] == backbone  # of which the dense model was made
    assert settings["sparse_encoder_lr"] == 1e-3
    assert dense.training["settings"]["sparse_encoder_lr"] is dense.training["settings"]["prune"] is None
    assert f"encoder {backbone}." in (tmp_path / "sparse" / "model" / "README.md").read_text("utf-8")
    assert not same_weights(sparse, dense)
    # the model given is only read
    assert all(torch.equal(weights(dense)[name], tensor) for name, tensor in before.items())
    assert not any(parameter.requires_grad for parameter in dense.network.parameters())
    assert not dense.network.training


@pytest.mark.parametrize("method", METHODS)
def test_a_sparse_run_goes_on_under_the_masks_of_a_sparse_model(tmp_path, method):
    first = train("unused", tmp_path / "first", init=dense_model(), prune={"method": method, "sparsity": 0.8})
    more = train("unused", tmp_path / "more", init=first, distillation=0.5)
    assert not events(tmp_path / "more", "masks")
    assert all(np.array_equal(first.masks.packed[name], bits) for name, bits in more.masks.packed.items())
    assert not same_weights(more, first)
    assert more.training["init"]["fingerprint"] == first.fingerprint
    # they are the masks that the first run's settings made, whatever the second one's say
    assert more.training["settings"]["prune"] == first.training["settings"]["prune"]
    assert more.training["settings"]["prune"]["sparsity"] == 0.8 != quick_settings("unused").prune.sparsity


def test_a_sparse_model_teaches_what_it_says_under_its_masks(tmp_path):
    """Without a teacher of its own a run learns from where it starts."""
    first = train("unused", tmp_path / "first", init=dense_model())
    trainer = Trainer(quick_settings("unused", distillation=1.0), TRAIN, DEV, tmp_path, first, "cpu")
    said = first.predict(TRAIN.texts).label_logits.softmax(-1)
    assert torch.allclose(taught(trainer.current)["labels"], said, atol=1e-6)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_dropout_zero_also_holds_for_a_model_to_start_from(tmp_path, arch):
    settings = quick_settings("unused", dropout=0.0)
    network = Trainer(settings, TRAIN, DEV, tmp_path, dense_model(arch), "cpu").current.network.train()
    ids = torch.tensor([[5, 6, 7, 8]])
    first, second = (network(ids, torch.ones_like(ids)).label_logits for _ in range(2))
    assert torch.equal(first, second)


def test_titles_do_not_make_a_model_unfit_to_start_from(tmp_path):
    """What a reader calls a concept is not part of the model."""
    titled = ConceptSpace(SPACE.concepts, SPACE.states, SPACE.labels, {"food": "Food"})
    data, dev = (dataset(list(part.examples), part.split, titled) for part in (TRAIN, DEV))
    assert train("unused", tmp_path, init=dense_model(), data=data, dev=dev).masks is not None

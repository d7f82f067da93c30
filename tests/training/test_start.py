"""The network a run starts from, and its batches."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.training.start import TrainingBatches, starting_network
from tests.tiny import SPACE, make_tiny
from tests.toy import quick_settings, toy_reviews

DATA = toy_reviews(10)


@pytest.fixture
def batches(tiny_model):
    settings = quick_settings("tiny", batch_size=4)
    return TrainingBatches(DATA, tiny_model.tokenizer, settings, torch.device("cpu"))


def test_every_review_comes_once_an_epoch(batches):
    assert len(batches) == 10
    first, again, other = batches.epoch(1), batches.epoch(1), batches.epoch(2)
    assert sorted(index for batch in first for index in batch) == list(range(10))
    assert first == again
    assert first != other
    assert max(map(len, first)) == 4


def test_a_batch_holds_tokens_and_targets(batches, tiny_model):
    batch = batches.gather([3, 7])
    encoded = tiny_model.encode([DATA.texts[3], DATA.texts[7]])
    for row, item in zip(batch.input_ids, encoded, strict=True):
        assert tuple(row[: len(item.ids)].tolist()) == item.ids
    states = [DATA.examples[i].concepts for i in (3, 7)]
    assert torch.equal(batch.concepts, torch.eye(3)[torch.tensor(states)])
    assert batch.labels.tolist() == torch.eye(4)[[DATA.examples[i].label for i in (3, 7)]].tolist()


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_teachers_distributions_are_mixed_in(batches, share):
    before = batches.gather([0, 1])
    teacher = {"concepts": torch.full((10, 3, 3), 1 / 3), "labels": torch.tensor([[0.1, 0.2, 0.3, 0.4]] * 10)}
    batches.distil(teacher, share)
    after = batches.gather([0, 1])
    torch.testing.assert_close(after.concepts, (1 - share) * before.concepts + share / 3)
    torch.testing.assert_close(after.labels, (1 - share) * before.labels + share * teacher["labels"][:2])
    torch.testing.assert_close(after.labels.sum(-1), torch.ones(2))


def test_the_copy_of_a_dense_model_is_all_its_own(tiny_model):
    init = make_tiny("bert", density=None)
    network, tokenizer = starting_network(quick_settings("unused"), SPACE, init, torch.device("cpu"))
    assert tokenizer is init.tokenizer
    own, given_ = dict(network.named_parameters()), dict(init.network.named_parameters())
    assert own.keys() == given_.keys()
    for name, parameter in own.items():
        assert parameter.requires_grad
        assert torch.equal(parameter, given_[name])
        assert parameter.data_ptr() != given_[name].data_ptr()
    # masked layers are those of the copy, too
    modules = dict(network.encoder.named_modules())
    assert all(modules[name] is layer for name, layer in network.masked_layers.items())

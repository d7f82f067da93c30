"""The joint loss, its targets, and batches."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from sparsecbm_core.models.sparse_cbm import CBMOutput
from sparsecbm_core.training.losses import (
    LabelledBatch,
    concept_loss,
    concept_targets,
    joint_loss,
    labelled_batch,
)
from tests.tiny import SPACE
from tests.toy import make_example


def test_targets_are_the_majority_states():
    targets = concept_targets([make_example(0, (0, 1, 2), 1)], SPACE, 0.0)
    assert targets.tolist() == [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]


def test_targets_mix_in_the_votes():
    votes = ((0.5, 0.5, 0.0), (0.0, 1.0, 0.0), (0.2, 0.2, 0.6))
    voted, bare = make_example(0, (0, 1, 2), 1, votes=votes), make_example(1, (2, 2, 2), 1)
    targets = concept_targets([voted, bare], SPACE, 0.5)
    expected = [[0.75, 0.25, 0.0], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]]
    torch.testing.assert_close(targets[0], torch.tensor(expected))
    assert targets[1].tolist() == [[0, 0, 1]] * 3  # no votes: the majority alone
    torch.testing.assert_close(concept_targets([voted], SPACE, 1.0)[0], torch.tensor(votes))
    torch.testing.assert_close(targets.sum(-1), torch.ones(2, 3))


def test_concept_loss_is_summed_over_concepts_and_averaged_over_the_batch():
    logits = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0))
    states = torch.tensor([[0, 1, 2]] * 5)
    expected = sum(F.cross_entropy(logits[:, k], states[:, k]) for k in range(3))
    torch.testing.assert_close(concept_loss(logits, F.one_hot(states, 3).float()), expected)


def test_concept_loss_reads_logits_not_activations():
    """Over σ(ℓ) ∈ (0, 1) a concept of three states could never cost less than log(1 + 2/e) = 0.551."""
    sure = torch.tensor([[[20.0, 0.0, 0.0]]])
    assert concept_loss(sure, torch.tensor([[[1.0, 0.0, 0.0]]])).item() < 1e-6
    assert math.log(1 + 2 / math.e) == pytest.approx(0.551, abs=1e-3)


def test_joint_loss_by_hand():
    logits = torch.zeros(2, 3, 3)
    labels = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]])
    batch = LabelledBatch(
        torch.zeros(2, 1),
        torch.ones(2, 1),
        F.one_hot(torch.zeros(2, 3).long(), 3).float(),
        torch.tensor([0, 1]),
    )
    loss = joint_loss(CBMOutput(logits, logits.sigmoid(), labels, logits), batch, gamma=0.5)
    assert loss.task.item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert loss.concept.item() == pytest.approx(3 * math.log(3))
    assert loss.total.item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2 + 0.5 * 3 * math.log(3))


def test_a_batch_gathers_its_examples(tiny_model):
    encoded = tiny_model.encode(["the soup", "the food was great", "rude"])
    targets, labels = torch.arange(27.0).reshape(3, 3, 3), torch.tensor([4, 5, 6])
    batch = labelled_batch([2, 1], encoded, targets, labels, 0, torch.device("cpu"))
    longest = len(encoded[1].ids)
    assert batch.labels.tolist() == [6, 5]
    assert torch.equal(batch.concepts, targets[[2, 1]])
    assert batch.input_ids.shape == batch.attention_mask.shape == (2, longest)
    assert batch.attention_mask.sum(1).tolist() == [len(encoded[2].ids), longest]
    assert tuple(batch.input_ids[1].tolist()) == encoded[1].ids

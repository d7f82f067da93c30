"""Learning rates: by part of the model, and over the steps of a phase."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.config import TrainSettings
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from sparsecbm_core.training.optim import build_optimizer, set_learning_rate
from tests.tiny import ARCHITECTURES, SPACE, make_tiny

SETTINGS = TrainSettings("tiny", projector_lr=2e-3, classifier_lr=3e-2, weight_decay=0.1)


def rates(network, encoder_lr=1e-4):
    optimizer = build_optimizer(network, SETTINGS, encoder_lr)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert found.keys() == set(names.values())  # each exactly once
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(names)
    return found


def test_every_part_has_its_own_rate():
    found = rates(make_tiny("bert").cbm)
    assert found["encoder.encoder.layer.0.attention.self.query.weight"] == (1e-4, 0.1)
    assert found["encoder.encoder.layer.0.attention.self.query.bias"] == (1e-4, 0.0)
    assert found["encoder.embeddings.LayerNorm.weight"] == (1e-4, 0.0)
    assert found["projector"] == (2e-3, 0.1)
    assert found["projector_bias"] == (2e-3, 0.0)  # (K, C), and a bias none the less
    assert found["classifier"] == (3e-2, 0.1)
    assert found["classifier_bias"] == (3e-2, 0.0)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_what_decays_are_the_matrices(arch):
    network = make_tiny(arch).cbm
    decaying = {name for name, (_, decay) in rates(network).items() if decay}
    vectors = {name for name, parameter in network.named_parameters() if parameter.ndim == 1}
    assert decaying == {name for name, _ in network.named_parameters()} - vectors - {"projector_bias"}


def test_the_standard_head():
    found = rates(StandardClassifier(make_tiny("bert").network.encoder, SPACE))
    assert found["head.weight"] == (2e-3, 0.1)
    assert found["head.bias"] == (2e-3, 0.0)


def schedule(total, warmup):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [parameter], "lr": 9.0, "peak_lr": 2.0}])
    values = []
    for step in range(total):
        set_learning_rate(optimizer, step, total, warmup)
        values.append(optimizer.param_groups[0]["lr"])
    return values


def test_warm_up_and_decay_by_hand():
    assert schedule(8, 0.25) == pytest.approx(
        [1.0, 2.0, 2.0, 2 * 5 / 6, 2 * 4 / 6, 2 * 3 / 6, 2 * 2 / 6, 2 / 6]
    )


@given(st.integers(1, 200), st.floats(0, 1))
def test_rises_then_falls_and_stays_within_the_peak(total, warmup):
    values = schedule(total, warmup)
    peak = values.index(max(values))
    assert all(0 < value <= 2.0 for value in values)
    assert values[:peak] == sorted(values[:peak])
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert max(values) == pytest.approx(2.0)

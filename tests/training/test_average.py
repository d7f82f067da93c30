"""The moving average of the weights: by hand, in and out of the network, and through a stop."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sparsecbm_core.training.average import WeightAverage


def network(value: float) -> nn.Linear:
    layer = nn.Linear(1, 1)
    set_to(layer, value)
    return layer


def set_to(layer: nn.Linear, value: float) -> None:
    with torch.no_grad():
        layer.weight.fill_(value)
        layer.bias.fill_(-value)


def test_by_hand():
    layer = network(0.0)
    average = WeightAverage(layer, decay=0.5)
    set_to(layer, 1.0)
    average.update(layer)  # d = min(.5, 2/11)
    first = 1 - 2 / 11
    assert average.values["weight"].item() == pytest.approx(first)
    average.update(layer)  # d = min(.5, 3/12)
    assert average.values["weight"].item() == pytest.approx(0.25 * first + 0.75)
    assert average.values["bias"].item() == pytest.approx(-0.25 * first - 0.75)


def test_it_stands_in_for_the_weights_and_gives_them_back():
    layer = network(0.0)
    average = WeightAverage(layer, decay=0.9)
    set_to(layer, 3.0)
    with average.in_place_of(layer):
        assert layer.weight.item() == 0.0
    assert layer.weight.item() == 3.0
    with pytest.raises(KeyError), average.in_place_of(layer):
        raise KeyError
    assert layer.weight.item() == 3.0


def test_a_stop_changes_nothing():
    layer = network(0.0)
    average = WeightAverage(layer, decay=0.9)
    set_to(layer, 1.0)
    average.update(layer)
    resumed = WeightAverage(layer, decay=0.9)
    resumed.restore({name: tensor.clone() for name, tensor in average.tensors().items()})
    for one in (average, resumed):
        one.update(layer)
    assert torch.equal(average.values["weight"], resumed.values["weight"])
    assert resumed.steps == 2


def test_restart_forgets():
    layer = network(0.0)
    average = WeightAverage(layer, decay=0.9)
    set_to(layer, 5.0)
    average.restart(layer)
    assert average.values["weight"].item() == 5.0
    assert average.steps == 0

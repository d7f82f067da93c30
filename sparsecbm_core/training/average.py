"""An exponential moving average of the weights: less noisy than the last step's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


class WeightAverage:
    """w̄ ← d·w̄ + (1 − d)·w after every step (Polyak averaging with a decay d).

    The first steps count more, d = min(decay, (1 + t) / (10 + t)), so that the start is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.restart(network)

    def restart(self, network: nn.Module) -> None:
        """Begin again from the weights as they are."""
        self.steps = 0
        self.values = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    def update(self, network: nn.Module) -> None:
        """Take in the weights after one more step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for name, tensor in network.state_dict().items():
                if tensor.is_floating_point():
                    self.values[name].lerp_(tensor, 1.0 - decay)

    @contextmanager
    def in_place_of(self, network: nn.Module) -> Iterator[None]:
        """Inside, the network has the averaged weights; afterwards its own again."""
        own = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        network.load_state_dict(self.values)
        try:
            yield
        finally:
            network.load_state_dict(own)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything needed to go on: the values, and "steps"."""
        return {**self.values, "steps": torch.tensor(self.steps)}

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Inverse of `tensors`."""
        self.steps = int(tensors["steps"])
        self.values = {name: tensor.clone() for name, tensor in tensors.items() if name != "steps"}

"""An accelerator without double precision, as Apple's, on any machine."""

from __future__ import annotations

import pytest
import torch


def without_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses `double` for tensors that were not brought to the CPU first."""
    cpu, double = torch.Tensor.cpu, torch.Tensor.double
    brought: dict[int, torch.Tensor] = {}  # held, so that no other tensor gets the same id

    def bring(tensor: torch.Tensor) -> torch.Tensor:
        found = cpu(tensor)
        brought[id(found)] = found
        return found

    def refuse(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in brought and tensor.dtype != torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return double(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", bring)
    monkeypatch.setattr(torch.Tensor, "double", refuse)

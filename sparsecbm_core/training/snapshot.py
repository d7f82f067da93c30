"""Everything of a run that lives in memory, as named tensors and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.masks import MaskSet

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Snapshot:
    """Weights, optimiser moments and masks as they stand, the best so far, and the random state."""

    network: Tensors
    optimizer: Tensors
    best: Tensors
    masks: MaskSet | None
    best_masks: MaskSet | None
    rng: torch.Tensor
    device_rng: torch.Tensor | None = None
    teacher: Tensors = field(default_factory=dict)
    average: Tensors = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        network: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        best: Tensors,
        masks: MaskSet | None,
        best_masks: MaskSet | None,
        teacher: Tensors | None = None,
        average: Tensors | None = None,
    ) -> Snapshot:
        """A view of the run, not a copy: write it out before training goes on."""
        moments = optimizer_tensors(network, optimizer)
        rng = torch.get_rng_state(), device_rng_state(device_of(network))
        return cls(
            dict(network.state_dict()), moments, best, masks, best_masks, *rng, teacher or {}, average or {}
        )

    def tensors(self) -> Tensors:
        """Flat names: "model/…", "optimizer/…", "best/…", "mask/…", "best_mask/…", "teacher/…", "average/…",
        "rng", and "device_rng" for a run on an accelerator."""
        parts: dict[str, Tensors] = {
            "model": self.network,
            "optimizer": self.optimizer,
            "best": self.best,
            "mask": _bits(self.masks),
            "best_mask": _bits(self.best_masks),
            "teacher": self.teacher,
            "average": self.average,
        }
        flat = {f"{part}/{name}": tensor for part, values in parts.items() for name, tensor in values.items()}
        device = {} if self.device_rng is None else {"device_rng": self.device_rng}
        return {**flat, "rng": self.rng, **device}

    @classmethod
    def from_tensors(
        cls, tensors: Tensors, parts: tuple[str, ...], shapes: Mapping[str, tuple[int, int]]
    ) -> Snapshot:
        """Inverse of `tensors`; ``shapes`` are those of the matrices that the masks are for."""

        def part(prefix: str) -> Tensors:
            start = f"{prefix}/"
            return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}

        def masks(prefix: str) -> MaskSet | None:
            packed = {name: tensor.numpy() for name, tensor in part(prefix).items()}
            return MaskSet(parts, shapes, packed) if packed else None

        if "rng" not in tensors:
            raise CheckpointError("the saved state holds no random state")
        return cls(
            part("model"),
            part("optimizer"),
            part("best"),
            masks("mask"),
            masks("best_mask"),
            tensors["rng"],
            tensors.get("device_rng"),
            part("teacher"),
            part("average"),
        )

    def restore(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Put weights, moments and the random state back."""
        try:
            network.load_state_dict(self.network)
            restore_optimizer(network, optimizer, self.optimizer)
            torch.set_rng_state(self.rng)
            restore_device_rng(device_of(network), self.device_rng)
        except (KeyError, RuntimeError, TypeError) as error:
            raise CheckpointError(
                f"the saved state does not fit the run: {' '.join(str(error).split())}"
            ) from error


def optimizer_tensors(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """AdamW's moments and step counts as "field/parameter name"."""
    names: dict[torch.Tensor, str] = {parameter: name for name, parameter in network.named_parameters()}
    return {
        f"{key}/{names[parameter]}": torch.as_tensor(value)
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def restore_optimizer(network: torch.nn.Module, optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Inverse of `optimizer_tensors`; the optimiser puts each value where its parameter is."""
    names = {parameter: name for name, parameter in network.named_parameters()}
    order = [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
    index = {name: i for i, name in enumerate(order)}
    state: dict[int, Tensors] = {}
    for key, tensor in tensors.items():
        value, name = key.split("/", 1)
        state.setdefault(index[name], {})[value] = tensor.clone()
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def device_of(network: torch.nn.Module) -> torch.device:
    return next(network.parameters()).device


def device_rng_state(device: torch.device) -> torch.Tensor | None:
    """The accelerator's random state, which dropout draws from; None on the CPU, whose is saved anyway."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def restore_device_rng(device: torch.device, state: torch.Tensor | None) -> None:
    """Inverse of `device_rng_state`."""
    if state is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif state is not None and device.type == "mps":
        torch.mps.set_rng_state(state)


def _bits(masks: MaskSet | None) -> Tensors:
    return {} if masks is None else {name: torch.from_numpy(b.copy()) for name, b in masks.packed.items()}

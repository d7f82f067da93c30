"""A checkpoint's weights, checked against the network they are for."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier


def load_weights(
    network: SparseCBM | StandardClassifier, path: Path
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Fill the network with a checkpoint's weights; returns its leakage head, if it has one.

    Raises `CheckpointError` for a damaged file and for tensors that are not those of the network.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            names = handle.keys()
            tensors = {name: handle.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    expected = network.state_dict()
    head = _reference_head(network, tensors, path) if isinstance(network, SparseCBM) else None
    missing, unknown = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or unknown:
        raise CheckpointError(
            f"{path} does not match its config.json: {len(missing)} tensors missing {missing[:3]}, "
            f"{len(unknown)} unknown {unknown[:3]}"
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"{path} does not match its config.json: {name} has shape {tuple(tensor.shape)}, "
                f"expected {tuple(expected[name].shape)}"
            )
    network.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()})
    return head


def _reference_head(
    network: SparseCBM, tensors: dict[str, torch.Tensor], path: Path
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The leakage head, taken out of ``tensors``; None where the file has none."""
    space = network.space
    shapes = {
        "head.weight": (space.num_labels, space.num_concepts * space.num_states),
        "head.bias": (space.num_labels,),
    }
    if not shapes.keys() & tensors.keys():
        return None
    for name, shape in shapes.items():
        found = tuple(tensors[name].shape) if name in tensors else None
        if found != shape:
            raise CheckpointError(
                f"{path} does not match its config.json: {name} has shape {found}, expected {shape}"
            )
    return tensors.pop("head.weight").float(), tensors.pop("head.bias").float()

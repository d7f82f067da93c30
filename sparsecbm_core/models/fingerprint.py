"""What tells one network under its masks from any other."""

from __future__ import annotations

import hashlib
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from sparsecbm_core.models.masks import MaskSet


def network_fingerprint(network: nn.Module, masks: MaskSet | None) -> str:
    """SHA-256 of the weights as stored (fp16) and the masks, first 16 hex digits."""
    digest = _weights_digest(network)
    if masks is not None:
        digest.update(masks.fingerprint().encode())
    return digest.hexdigest()[:16]


def as_stored(tensor: torch.Tensor) -> torch.Tensor:
    """In the precision of a checkpoint's file, on the CPU."""
    return (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()


# What a network's weights come to, for one network under many masks; with the state of its tensors.
_DIGESTS: WeakKeyDictionary[nn.Module, tuple[tuple[tuple[int, int], ...], Any]] = WeakKeyDictionary()


def _weights_digest(network: nn.Module) -> Any:
    """The digest of all weights, to go on with; made anew when weights were trained, moved or replaced."""
    tensors = sorted(network.state_dict().items())
    state = tuple((tensor.data_ptr(), tensor._version) for _, tensor in tensors)
    known = _DIGESTS.get(network)
    if known is None or known[0] != state:
        digest = hashlib.sha256()
        for name, tensor in tensors:
            digest.update(name.encode())
            digest.update(as_stored(tensor).numpy().tobytes())
        known = state, digest
        _DIGESTS[network] = known
    return known[1].copy()

"""Subnetworks that share a part: nested masks of whole rows, and a pass that computes the shared part once.

A concept keeps n of the O rows of every matrix. *Common rows* are kept by all concepts, in every matrix. What
they multiply still differs from concept to concept as soon as the first layer's attention has run, so that
sharing rows alone saves next to nothing. *Common layers* are the first ones, in which all concepts keep the
same rows: there everything is the same for all K, and one pass does for them. It branches where rows part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from sparsecbm_core.errors import InputError
from sparsecbm_core.models.backbone import layer_list
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import CBMOutput, SparseCBM, mean_over_tokens
from sparsecbm_core.models.subnetworks import EffectiveWeights, active

if TYPE_CHECKING:
    from sparsecbm_core.training.masked_step import WeightsUnderMasks


def nested_masks(network: SparseCBM, share: float = 0.0, depth: int = 0) -> MaskSet:
    """K masks of n = O/K whole rows each. Of every matrix ``share`` of these are common, and all of them in
    the first ``depth`` layers; no other row belongs to two concepts.

    Raises `InputError` for a share outside [0, 1] and for a depth that leaves no layer of their own.
    """
    layers, k = len(layer_list(network.encoder)[1]), len(network.parts)
    if not 0.0 <= share <= 1.0:
        raise InputError(f"the share of common rows must lie in [0, 1], got {share!r}")
    if not 0 <= depth < layers:
        raise InputError(f"common layers must be 0 to {layers - 1} of the encoder's {layers}, got {depth!r}")
    masks = {}
    for info in network.matrices:
        rows = max(1, info.shape[0] // k)
        common = rows if info.layer < depth else round(share * rows)
        bits = np.zeros((k, *info.shape), dtype=bool)
        bits[:, :common] = True
        for concept in range(k):
            first = common + concept * (rows - common)
            bits[concept, first : first + rows - common] = True
        masks[info.name] = bits
    return MaskSet.from_bool(network.parts, masks)


def scattered_masks(network: SparseCBM, seed: int = 0) -> MaskSet:
    """K random masks with as many weights as `nested_masks` have, wherever they fall."""
    rng, k = np.random.default_rng(seed), len(network.parts)
    masks = {}
    for info in network.matrices:
        flat = np.arange(info.size) < max(1, info.shape[0] // k) * info.shape[1]
        masks[info.name] = np.stack([rng.permutation(flat) for _ in range(k)]).reshape(k, *info.shape)
    return MaskSet.from_bool(network.parts, masks)


def trunk_weights(network: SparseCBM, under: WeightsUnderMasks, depth: int) -> EffectiveWeights:
    """The weights of one training step, of the first ``depth`` layers those of one concept alone: there all
    are the same."""
    weights = under.now()
    shared = {info.name for info in network.matrices if info.layer < depth}
    matrices = {
        name: matrix.only(0) if name in shared else matrix for name, matrix in weights.matrices.items()
    }
    return EffectiveWeights(weights.concepts, matrices)


def branched(
    network: SparseCBM, ids: torch.Tensor, mask: torch.Tensor, weights: EffectiveWeights, depth: int
) -> CBMOutput:
    """As ``network(ids, mask, weights)`` under masks that are equal in the first ``depth`` layers, which are
    run once for all concepts; ``weights`` are `trunk_weights`."""
    if not depth:
        return network(ids, mask, weights)
    k = len(network.parts)
    with active(weights), _branching(network.encoder, depth, k, len(ids)):
        inputs = {"inputs_embeds": network.embed(ids), "attention_mask": mask}
        hidden = network.encoder(**inputs).last_hidden_state  # (K·B, T, E), concept slowest
    pooled = mean_over_tokens(hidden, mask.repeat(k, 1)).unflatten(0, (k, -1))  # (K, B, E)
    return network.bottleneck(network.project(pooled))


@contextmanager
def _branching(encoder: nn.Module, depth: int, copies: int, rows: int) -> Iterator[None]:
    """Inside, layer ``depth`` and those after it get every tensor of ``rows`` rows ``copies`` times over."""

    def repeated(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.dim() and len(value) == rows:
            return value.repeat(copies, *[1] * (value.dim() - 1))
        return value

    def repeat(
        module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple(map(repeated, args)), {name: repeated(value) for name, value in named.items()}

    layers = list(layer_list(encoder)[1])[depth:]
    hooks = [layer.register_forward_pre_hook(repeat, with_kwargs=True) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

"""One mask update: gradients of every concept's own loss, scores, selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np
import torch

from sparsecbm_core.config import PruneSettings
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights
from sparsecbm_core.pruning.gradients import Gradients, make_store
from sparsecbm_core.pruning.scores import criterion
from sparsecbm_core.pruning.select import select

# (model, batch, weights) → scalar: the sum over concepts of their decomposed losses
LossFunction = Callable[[SparseCBM, object, EffectiveWeights], torch.Tensor]


def collect_gradients(
    model: SparseCBM,
    masks: MaskSet,
    batches: Iterable[object],
    loss: LossFunction,
    store: Gradients,
    num_grads: int,
    dtype: torch.dtype,
    on_step: Callable[[], None] = lambda: None,
) -> None:
    """Add m gradients of each concept's loss w.r.t. its effective weights to ``store``.

    The effective weights M_k ⊙ θ are leaves, so one backward pass through the K-row batch gives
    all K gradients apart, pruned weights included: those may come back. The model is in eval
    mode meanwhile and is left as it was.
    """
    leaves = {}
    for name, layer in model.masked_layers.items():
        mask = masks.to_torch(name).to(layer.weight.device)
        leaves[name] = (mask * layer.weight.detach()).to(dtype).requires_grad_(True)  # (K, O, I)
    weights = EffectiveWeights(masks.concepts, {name: ConceptWeights(leaf) for name, leaf in leaves.items()})
    training = [(module, module.training) for module in model.modules()]
    required = [parameter.requires_grad for parameter in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        for batch in islice(batches, num_grads):
            gradients = torch.autograd.grad(loss(model, batch, weights), list(leaves.values()))
            store.add({name: g.flatten(1) for name, g in zip(leaves, gradients, strict=True)})
            on_step()
    finally:
        for parameter, flag in zip(model.parameters(), required, strict=True):
            parameter.requires_grad_(flag)
        for module, flag in training:
            module.training = flag


def score_weights(
    model: SparseCBM,
    gradients: Gradients | None,
    settings: PruneSettings,
    generator: torch.Generator,
) -> dict[str, np.ndarray]:
    """Scores (K, O·I) float32 of every matrix under the settings' criterion."""
    chosen = criterion(settings.criterion)
    scores = {}
    for name, layer in model.masked_layers.items():
        theta = layer.weight.detach().reshape(-1).cpu()
        rows = []
        for k in range(model.space.num_concepts):
            diagonal = None
            if gradients is not None:
                diagonal = gradients.inverse_diagonal(name, k, chosen.block_size(settings), settings.damp)
            rows.append(chosen.score(theta, diagonal, generator).float().numpy())
        scores[name] = np.stack(rows)
    return scores


def update_masks(
    model: SparseCBM,
    masks: MaskSet,
    batches: Iterable[object],
    loss: LossFunction,
    settings: PruneSettings,
    sparsity: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    on_step: Callable[[], None] = lambda: None,
) -> MaskSet:
    """New masks at ``sparsity`` (on the way to ``settings.sparsity``), exact to one weight.

    Weights pruned before may come back; within this one update each weight is decided once.
    The exclusivity grows with the schedule: λ · sparsity / s.
    """
    gradients = None
    if criterion(settings.criterion).needs_gradients:
        sizes = {name: layer.weight.numel() for name, layer in model.masked_layers.items()}
        gradients = make_store(sizes, len(masks.concepts), settings)
        collect_gradients(model, masks, batches, loss, gradients, settings.num_grads, dtype, on_step)
    scores = score_weights(model, gradients, settings, generator)
    del gradients
    strength = settings.exclusivity * sparsity / settings.sparsity if settings.sparsity else 0.0
    flat = select(scores, sparsity, settings.scope, strength)
    shapes = model.mask_shapes
    return MaskSet.from_bool(
        masks.concepts, {name: mask.reshape(-1, *shapes[name]) for name, mask in flat.items()}
    )

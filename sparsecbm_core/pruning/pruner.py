"""One mask update: what the criterion asks to know of every subnetwork, scores, selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Protocol

import numpy as np
import torch

from sparsecbm_core.config import PruneSettings
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights
from sparsecbm_core.progress import unheard
from sparsecbm_core.pruning.gradients import Gradients, make_store
from sparsecbm_core.pruning.inputs import InputSquares, ObservedWeights
from sparsecbm_core.pruning.rest import at_rest
from sparsecbm_core.pruning.rows import select_rows
from sparsecbm_core.pruning.scores import Evidence, criterion
from sparsecbm_core.pruning.select import Scores, select


class Batch(Protocol):
    """Some reviews with all that their loss needs; ``attention_mask`` (B, T) tells tokens from padding."""

    @property
    def attention_mask(self) -> torch.Tensor: ...


# (model, batch, weights) → scalar: the sum over concepts of their decomposed losses
LossFunction = Callable[[SparseCBM, Any, EffectiveWeights], torch.Tensor]


def collect_gradients(
    model: SparseCBM,
    masks: MaskSet,
    batches: Iterable[Batch],
    loss: LossFunction,
    store: Gradients,
    num_grads: int,
    dtype: torch.dtype,
    on_step: Callable[[], None] = unheard,
) -> None:
    """Add m gradients of each concept's loss w.r.t. its effective weights to ``store``.

    The effective weights M_k ⊙ θ are leaves, so one backward pass through the K-row batch gives
    all K gradients apart, pruned weights included: those may come back. The model is in eval
    mode meanwhile and is left as it was.
    """
    leaves = {
        name: weight.requires_grad_(True) for name, weight in _effective(model, masks, dtype).items()
    }  # (K, O, I)
    weights = EffectiveWeights(masks.concepts, {name: ConceptWeights(leaf) for name, leaf in leaves.items()})
    with at_rest(model):
        for batch in islice(batches, num_grads):
            gradients = torch.autograd.grad(loss(model, batch, weights), list(leaves.values()))
            store.add({name: g.flatten(1) for name, g in zip(leaves, gradients, strict=True)})
            on_step()


def collect_input_norms(
    model: SparseCBM,
    masks: MaskSet,
    batches: Iterable[Batch],
    loss: LossFunction,
    num_batches: int,
    dtype: torch.dtype,
    on_step: Callable[[], None] = unheard,
) -> dict[str, torch.Tensor]:
    """‖X_j‖₂ of what every matrix reads inside every concept's own subnetwork: matrix → (K, I) float64.

    Over the tokens of the first ``num_batches`` batches, those that the gradients of the other criteria
    are taken on; padding does not count. ``loss`` is called for its forward pass. The model is left as it
    was.
    """
    squares, observed = {}, {}
    for name, weight in _effective(model, masks, dtype).items():
        squares[name] = InputSquares(weight.shape[0], weight.shape[2])
        observed[name] = ObservedWeights(weight, squares=squares[name])
    weights = EffectiveWeights(masks.concepts, observed)
    with at_rest(model), torch.no_grad():
        for batch in islice(batches, num_batches):
            keep = batch.attention_mask.repeat(len(masks.concepts), 1)  # (K·B, T), as the network's rows
            for item in squares.values():
                item.keep = keep
            loss(model, batch, weights)
            on_step()
    return {name: item.norms() for name, item in squares.items()}


def _effective(model: SparseCBM, masks: MaskSet, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """M_k ⊙ θ of every matrix, (K, O, I), without a graph to θ."""
    return {
        name: (masks.to_torch(name).to(layer.weight.device) * layer.weight.detach()).to(dtype)
        for name, layer in model.masked_layers.items()
    }


def score_weights(
    model: SparseCBM,
    gradients: Gradients | None,
    settings: PruneSettings,
    generator: torch.Generator,
    input_norms: Mapping[str, torch.Tensor] | None = None,
) -> dict[str, np.ndarray]:
    """Scores (K, O·I) float32 of every matrix under the settings' criterion."""
    chosen = criterion(settings.criterion)
    scores = {}
    for name, layer in model.masked_layers.items():
        theta = layer.weight.detach().cpu()
        rows = []
        for k in range(len(model.parts)):
            diagonal = None
            if gradients is not None:
                diagonal = gradients.inverse_diagonal(name, k, chosen.block_size(settings), settings.damp)
            norms = None if input_norms is None else input_norms[name][k]
            score = chosen.score(theta, Evidence(diagonal, norms), generator)
            rows.append(score.float().reshape(-1).numpy())
        scores[name] = np.stack(rows)
    return scores


def criterion_scores(
    model: SparseCBM,
    masks: MaskSet,
    batches: Iterable[Batch],
    loss: LossFunction,
    settings: PruneSettings,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    on_step: Callable[[], None] = unheard,
) -> dict[str, np.ndarray]:
    """Scores (K, O·I) of every matrix, from whatever the criterion has to read of the data for them."""
    chosen = criterion(settings.criterion)
    gradients, norms = None, None
    if chosen.needs_gradients:
        sizes = {name: layer.weight.numel() for name, layer in model.masked_layers.items()}
        device = next(model.parameters()).device
        gradients = make_store(sizes, len(masks.concepts), settings, device)
        collect_gradients(model, masks, batches, loss, gradients, settings.num_grads, dtype, on_step)
    if chosen.needs_inputs:
        norms = collect_input_norms(model, masks, batches, loss, settings.num_grads, dtype, on_step)
    return score_weights(model, gradients, settings, generator, norms)


def choose_weights(
    scores: Scores, shapes: Mapping[str, tuple[int, int]], settings: PruneSettings, sparsity: float
) -> dict[str, np.ndarray]:
    """Which weights are kept at ``sparsity``: matrix → (K, O·I) bool, by single weights or whole rows.

    The exclusivity grows with the schedule: λ · sparsity / s.
    """
    strength = settings.exclusivity * sparsity / settings.sparsity if settings.sparsity else 0.0
    if criterion(settings.criterion).whole_rows:
        widths = {name: shape[1] for name, shape in shapes.items()}
        return select_rows(scores, widths, sparsity, settings.scope, strength)
    return select(scores, sparsity, settings.scope, strength)


def update_masks(
    model: SparseCBM,
    masks: MaskSet,
    batches: Iterable[Batch],
    loss: LossFunction,
    settings: PruneSettings,
    sparsity: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    on_step: Callable[[], None] = unheard,
) -> MaskSet:
    """New masks at ``sparsity`` (on the way to ``settings.sparsity``), exact to one weight.

    Weights pruned before may come back; within this one update each weight is decided once.
    """
    shapes = model.mask_shapes
    scores = criterion_scores(model, masks, batches, loss, settings, generator, dtype, on_step)
    flat = choose_weights(scores, shapes, settings, sparsity)
    return MaskSet.from_flat(masks.concepts, shapes, flat)

"""One mask update inside a run: its draw of reviews, its place on the schedule, its progress.

Or all masks at once, and new weights with them: see `PruneSettings.method`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch

from sparsecbm_core.config import TrainSettings
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.pruning.compensate import compensate
from sparsecbm_core.pruning.partition import partition, unit_groups
from sparsecbm_core.pruning.pruner import LossFunction, criterion_scores, update_masks
from sparsecbm_core.pruning.schedule import cubic_sparsity
from sparsecbm_core.training.losses import LabelledBatch
from sparsecbm_core.training.plan import PhasePlan, RunProgress
from sparsecbm_core.training.start import TrainingBatches


def masks_before(
    step: int,
    plan: PhasePlan,
    network: SparseCBM,
    masks: MaskSet,
    batches: TrainingBatches,
    settings: TrainSettings,
    loss: LossFunction,
    dtype: torch.dtype,
    progress: RunProgress,
) -> MaskSet:
    """The masks that ``step`` of ``plan`` and those after it train under.

    Which reviews are read depends on the seed and the update alone, not on what came before. Method
    "partition" also writes new weights into ``network``.
    """
    update, last, prune = plan.updates[step], plan.num_updates, settings.prune
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + update)
    reviews = _draw(batches, prune.grad_batch_size, prune.num_grads, generator)
    numbers = count(1)

    def on_step() -> None:
        number = next(numbers)
        what = "batch" if prune.criterion == "wanda" else "gradient"  # Wanda needs no backward pass
        message = f"mask update {update}/{last}: {what} {number}/{prune.num_grads}"
        progress.gradients(plan, step, number, message)

    if prune.method == "partition":
        scores = criterion_scores(network, masks, reviews, loss, prune, generator, dtype, on_step)
        groups = unit_groups(network.matrices, int(network.encoder.config.num_attention_heads))
        flat = partition(scores, network.mask_shapes, groups, prune.sparsity)
        shapes = network.mask_shapes
        masks = MaskSet.from_bool(
            masks.concepts, {name: mask.reshape(-1, *shapes[name]) for name, mask in flat.items()}
        )
        _solve_weights(network, masks, batches, prune.calibration_reviews, generator, progress)
        return masks
    sparsity = cubic_sparsity(update, last, prune.sparsity)
    # Chance draws its order of the weights once: drawn anew, it would exchange most of them every time.
    chance = torch.Generator().manual_seed(settings.seed)
    return update_masks(network, masks, reviews, loss, prune, sparsity, chance, dtype, on_step)


def _solve_weights(
    network: SparseCBM,
    masks: MaskSet,
    batches: TrainingBatches,
    reviews: int,
    generator: torch.Generator,
    progress: RunProgress,
) -> None:
    """Weights under which every subnetwork computes what the dense model did; in place."""
    chosen = torch.randperm(len(batches), generator=generator)[:reviews].tolist()
    gathered = [batches.gather(indices) for indices in batches.by_length(chosen)]
    theta = compensate(
        network,
        masks,
        [(batch.input_ids, batch.attention_mask) for batch in gathered],
        lambda done, total: progress.note(f"weights of the parts: {done}/{total}"),
    )
    with torch.no_grad():
        for name, weight in theta.items():
            network.masked_layers[name].weight.copy_(weight)


def _draw(
    batches: TrainingBatches, size: int, number: int, generator: torch.Generator
) -> Iterator[LabelledBatch]:
    # Drawn now and not with the first batch: the criterion may draw from the same generator.
    order = torch.randperm(len(batches), generator=generator).tolist()
    starts = (i * size % max(1, len(order) - size + 1) for i in range(number))
    return (batches.gather(order[start : start + size]) for start in starts)

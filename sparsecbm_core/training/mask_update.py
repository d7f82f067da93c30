"""One mask update inside a run: its draw of reviews, its place on the schedule, its progress.

Or all masks at once, and new weights with them: see `PruneSettings.method`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count

import torch

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.subnetworks import EffectiveWeights
from sparsecbm_core.pruning.compensate import compensate
from sparsecbm_core.pruning.partition import partition, unit_groups
from sparsecbm_core.pruning.pruner import criterion_scores, update_masks
from sparsecbm_core.pruning.schedule import cubic_sparsity
from sparsecbm_core.training.losses import LabelledBatch
from sparsecbm_core.training.plan import PhasePlan
from sparsecbm_core.training.run import Run
from sparsecbm_core.training.start import TrainingBatches


def apply_update(run: Run, plan: PhasePlan, step: int) -> None:
    """Make the masks that ``step`` of ``plan`` and those after it train under, and write it to the log.

    Which reviews are read depends on the seed and the update alone, not on what came before. Method
    "partition" also writes new weights into the network.
    """
    started = time.monotonic()
    if run.masks is None or not isinstance(run.network, SparseCBM):
        raise SettingsError("only a SparseCBM has masks to update")
    masks = _masks_at(run, plan, step, run.network, run.masks)
    run.set_masks(masks)
    jaccard = list(masks.jaccard().values())
    run.log.write(
        "masks",
        step=step,
        update=plan.updates[step],
        sparsity=masks.sparsity(),
        jaccard=sum(jaccard) / len(jaccard) if jaccard else None,
        seconds=round(time.monotonic() - started, 1),
    )


def _masks_at(run: Run, plan: PhasePlan, step: int, network: SparseCBM, masks: MaskSet) -> MaskSet:
    settings, prune = run.settings, run.settings.prune
    update, last = plan.updates[step], plan.num_updates
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + update)
    reviews = _draw(run.batches, prune.grad_batch_size, prune.num_grads, generator)
    numbers = count(1)

    def loss(network: SparseCBM, batch: LabelledBatch, weights: EffectiveWeights) -> torch.Tensor:
        return run.loss(network, batch, weights).total

    def on_step() -> None:
        number = next(numbers)
        what = "batch" if prune.criterion == "wanda" else "gradient"  # Wanda needs no backward pass
        message = f"mask update {update}/{last}: {what} {number}/{prune.num_grads}"
        run.progress.gradients(plan, step, number, message)

    if prune.method == "partition":
        scores = criterion_scores(network, masks, reviews, loss, prune, generator, run.dtype, on_step)
        groups = unit_groups(network.matrices, int(network.encoder.config.num_attention_heads))
        flat = partition(scores, network.mask_shapes, groups, prune.sparsity)
        parts = MaskSet.from_flat(masks.concepts, network.mask_shapes, flat)
        _solve_weights(run, network, parts, generator)
        return parts
    sparsity = cubic_sparsity(update, last, prune.sparsity)
    # Chance draws its order of the weights once: drawn anew, it would exchange most of them every time.
    chance = torch.Generator().manual_seed(settings.seed)
    return update_masks(network, masks, reviews, loss, prune, sparsity, chance, run.dtype, on_step)


def _solve_weights(run: Run, network: SparseCBM, masks: MaskSet, generator: torch.Generator) -> None:
    """Weights under which every subnetwork computes what the dense model did; in place."""
    reviews = run.settings.prune.calibration_reviews
    chosen = torch.randperm(len(run.batches), generator=generator)[:reviews].tolist()
    gathered = [run.batches.gather(indices) for indices in run.batches.by_length(chosen)]
    theta = compensate(
        network,
        masks,
        [(batch.input_ids, batch.attention_mask) for batch in gathered],
        lambda done, total: run.progress.note(f"weights of the parts: {done}/{total}"),
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

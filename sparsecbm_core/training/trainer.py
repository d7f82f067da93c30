"""Train a standard classifier, a dense joint CBM, or a SparseCBM; stoppable and reproducible."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from sparsecbm_core.config import TrainSettings
from sparsecbm_core.data.batches import length_buckets
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import DataError, SettingsError
from sparsecbm_core.models.backbone import load_backbone, max_positions
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier
from sparsecbm_core.models.subnetworks import EffectiveWeights
from sparsecbm_core.pruning.pruner import update_masks
from sparsecbm_core.pruning.schedule import cubic_sparsity, update_steps
from sparsecbm_core.training.finish import finish_model
from sparsecbm_core.training.log import RunLog
from sparsecbm_core.training.losses import LabelledBatch, concept_targets, joint_loss, labelled_batch
from sparsecbm_core.training.masked_step import mask_tensors, trainable_weights
from sparsecbm_core.training.optim import build_optimizer, set_learning_rate
from sparsecbm_core.training.runtime import pick_device, pick_precision
from sparsecbm_core.training.state import (
    Position,
    load_state,
    optimizer_tensors,
    restore_optimizer,
    save_state,
)

DENSE, SPARSE = "dense", "sparse"
SPARSE_STEP_COST = 4  # progress units: a sparse step reads every review K times
STATE_FILE = "resume.safetensors"


@dataclass(frozen=True)
class PhasePlan:
    """One phase of a run: its epochs, its encoder rate, and the mask updates by step."""

    name: str
    epochs: int
    steps_per_epoch: int
    encoder_lr: float
    updates: dict[int, int]

    @property
    def total(self) -> int:
        return self.epochs * self.steps_per_epoch


class Trainer:
    """Fit a model on ``train``, choose its best epoch on ``dev``, write a checkpoint folder.

    Procedure: the dense joint CBM for ``dense_epochs`` (skipped with ``init``, a dense
    `ConceptModel` to start from); then, for kind "sparse", ``sparse_epochs`` under all K masks
    with gradual pruning on a cubic schedule, from the best dense epoch. Every phase keeps its best
    epoch by the mean of concept and task accuracy on dev (task alone for "standard"); sparse
    epochs count only at the full sparsity.

    Runs with equal settings, data and machine are equal on the CPU. The state is saved every
    epoch and every ``save_seconds``; ``run(resume=True)`` goes on from it to the same result.
    ``on_progress(done, total, message)`` gets work units, not seconds.
    """

    def __init__(
        self,
        settings: TrainSettings,
        train: ReviewDataset,
        dev: ReviewDataset,
        output: Path,
        init: ConceptModel | None = None,
        device: str | None = None,
        save_seconds: float = 300.0,
        on_progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    ) -> None:
        for data in (train, dev):
            if not len(data):
                raise DataError(f"split {data.split!r} of {data.name} has no usable rows")
        if train.space != dev.space:
            raise DataError("train and dev differ in their concepts, states or labels")
        self.settings, self.train, self.dev, self.output = settings, train, dev, Path(output)
        self.device = pick_device(device)
        self.dtype = pick_precision(settings.precision, self.device)
        self.save_seconds, self.on_progress = save_seconds, on_progress
        self.init_name = init.fingerprint if init is not None else None
        torch.manual_seed(settings.seed)
        self.network, self.tokenizer = self._build(init)
        self.masks: MaskSet | None = None
        self._mask_tensors: dict[str, torch.Tensor] = {}
        self.best: dict[str, torch.Tensor] = {}
        self.best_masks: MaskSet | None = None

    # ------------------------------------------------------------------ set-up

    def _build(self, init: ConceptModel | None) -> tuple[SparseCBM | StandardClassifier, Any]:
        settings = self.settings
        if init is not None:
            if settings.kind != "sparse" or init.masks is not None:
                raise SettingsError("a run starts from another model only if that is dense and this one sparse")
            if init.space != self.train.space:
                raise SettingsError("the model to start from has other concepts, states or labels")
            network: SparseCBM | StandardClassifier = init.cbm.requires_grad_(True)
            tokenizer: Any = init.tokenizer
            if settings.dropout is not None:
                _set_dropout(network, settings.dropout)
        else:
            encoder, tokenizer = load_backbone(settings.backbone, settings.dropout)
            network_type = StandardClassifier if settings.kind == "standard" else SparseCBM
            network = network_type(encoder, self.train.space)
        limit = max_positions(network.encoder.config)
        if settings.max_length > limit:
            raise SettingsError(f"max_length {settings.max_length} exceeds the encoder's {limit} positions")
        return network.to(self.device), tokenizer

    def _plans(self) -> list[PhasePlan]:
        settings = self.settings
        steps = -(-len(self.train) // settings.batch_size)
        plans = []
        if settings.dense_epochs and self.init_name is None:
            plans.append(PhasePlan(DENSE, settings.dense_epochs, steps, settings.encoder_lr, {}))
        if settings.kind == "sparse":
            updates = update_steps(settings.prune, settings.sparse_epochs * steps)
            plans.append(
                PhasePlan(SPARSE, settings.sparse_epochs, steps, settings.sparse_encoder_lr, updates)
            )
        return plans

    def _fingerprint(self) -> dict[str, Any]:
        return {
            "settings": self.settings.to_dict(),
            "train": self.train.fingerprint(),
            "dev": self.dev.fingerprint(),
            "init": self.init_name,
        }

    # ------------------------------------------------------------------ run

    def run(self, resume: bool = False) -> ConceptModel:
        """Train to the end; returns the finished model, also saved in the output folder."""
        settings = self.settings
        state_path = self.output / STATE_FILE
        self.output.mkdir(parents=True, exist_ok=True)
        self._prepare_data()
        position, tensors = (
            load_state(state_path, self._fingerprint()) if resume and state_path.is_file() else (None, {})
        )
        log = RunLog(self.output / "log.jsonl", position.log_bytes if position else 0)
        plans = self._plans()
        self._unit_total = sum(self._phase_units(plan) for plan in plans)
        self._unit_done, self._last_save = 0, time.monotonic()
        if position is None:
            log.write("start", settings=settings.to_dict(), train=len(self.train), dev=len(self.dev))
        for plan in plans:
            if position is not None and [p.name for p in plans].index(position.phase) > plans.index(plan):
                self._unit_done += self._phase_units(plan)
                continue
            self._run_phase(plan, log, state_path, position, tensors)
            position, tensors = None, {}
        model = finish_model(self, log)
        state_path.unlink(missing_ok=True)
        return model

    def _run_phase(
        self,
        plan: PhasePlan,
        log: RunLog,
        state_path: Path,
        position: Position | None,
        tensors: dict[str, torch.Tensor],
    ) -> None:
        if plan.name == SPARSE and isinstance(self.network, SparseCBM):
            self._set_masks(MaskSet.ones(self.train.space.concepts, self.network.mask_shapes))
        optimizer = build_optimizer(self.network, self.settings, plan.encoder_lr)
        if position is None:
            position = Position(plan.name, 0, 0, None, None, log.size())
        else:
            self._restore(optimizer, tensors)
        while position.epoch < plan.epochs:
            position = self._run_epoch(plan, position, optimizer, log, state_path)
            self._save(state_path, replace(position, log_bytes=log.size()), optimizer)
        self.network.load_state_dict(self.best)
        if self.best_masks is not None:
            self._set_masks(self.best_masks)
        log.write("best", phase=plan.name, epoch=position.best_epoch, score=position.best_score)

    def _run_epoch(
        self,
        plan: PhasePlan,
        position: Position,
        optimizer: torch.optim.Optimizer,
        log: RunLog,
        state_path: Path,
    ) -> Position:
        batches = self._epoch_batches(plan, position.epoch)
        task_sum, concept_sum, seen = position.loss_sums
        self._report_done(plan, position.epoch * plan.steps_per_epoch + position.step)
        for step in range(position.step, plan.steps_per_epoch):
            number = position.epoch * plan.steps_per_epoch + step
            if number in plan.updates:
                self._update_masks(plan, plan.updates[number], number, log)
            set_learning_rate(optimizer, number, plan.total, self.settings.warmup_share)
            task, concept = self._train_step(batches[step], optimizer)
            task_sum, concept_sum, seen = task_sum + task, concept_sum + concept, seen + 1
            self._report_done(plan, number + 1, f"{plan.name} epoch {position.epoch + 1}/{plan.epochs}")
            if time.monotonic() - self._last_save > self.save_seconds:
                sums = (task_sum, concept_sum, seen)
                here = replace(position, step=step + 1, loss_sums=sums, log_bytes=log.size())
                self._save(state_path, here, optimizer)
        scores = self._dev_scores()
        log.write(
            "epoch",
            phase=plan.name,
            epoch=position.epoch + 1,
            task_loss=task_sum / max(1, seen),
            concept_loss=concept_sum / max(1, seen),
            **scores,
        )
        best_score, best_epoch = position.best_score, position.best_epoch
        final_sparsity = not plan.updates or (position.epoch + 1) * plan.steps_per_epoch > max(plan.updates)
        if final_sparsity and (best_score is None or scores["score"] > best_score):
            best_score, best_epoch = scores["score"], position.epoch + 1
            self.best = {name: t.detach().clone() for name, t in self.network.state_dict().items()}
            self.best_masks = self.masks
        return Position(plan.name, position.epoch + 1, 0, best_score, best_epoch, log.size())

    # ------------------------------------------------------------------ one step

    def autocast(self) -> AbstractContextManager[Any]:
        """The run's precision, for forward passes."""
        enabled = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype if enabled else None, enabled=enabled)

    def _effective(self) -> EffectiveWeights | None:
        if self.masks is None or not isinstance(self.network, SparseCBM):
            return None
        return trainable_weights(self.masks.concepts, self.network.masked_layers, self._mask_tensors)

    def _loss(
        self, network: SparseCBM | StandardClassifier, batch: LabelledBatch, weights: EffectiveWeights | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        with self.autocast():
            if isinstance(network, StandardClassifier):
                task = F.cross_entropy(network(batch.input_ids, batch.attention_mask).float(), batch.labels)
                return task, torch.zeros_like(task)
            output = network(batch.input_ids, batch.attention_mask, weights)
        return joint_loss(output, batch, self.settings.gamma)

    def _train_step(self, indices: list[int], optimizer: torch.optim.Optimizer) -> tuple[float, float]:
        self.network.train()
        task, concept = self._loss(self.network, self._batch(indices), self._effective())
        optimizer.zero_grad(set_to_none=True)
        (task + concept).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.max_grad_norm)
        optimizer.step()
        return task.item(), concept.item()

    # ------------------------------------------------------------------ masks

    def _set_masks(self, masks: MaskSet) -> None:
        if isinstance(self.network, SparseCBM):
            self.masks = masks
            self._mask_tensors = mask_tensors(masks, self.network.masked_layers, self.dtype)

    def _update_masks(self, plan: PhasePlan, update: int, number: int, log: RunLog) -> None:
        prune, started = self.settings.prune, time.monotonic()
        if self.masks is None or not isinstance(self.network, SparseCBM):
            raise SettingsError("only a SparseCBM has masks to update")
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + update)
        order = torch.randperm(len(self.train), generator=generator).tolist()
        size = prune.grad_batch_size

        def batches() -> Iterator[LabelledBatch]:
            for i in range(prune.num_grads):
                start = i * size % max(1, len(order) - size + 1)
                yield self._batch(order[start : start + size])

        def loss(network: SparseCBM, batch: object, weights: EffectiveWeights) -> torch.Tensor:
            if not isinstance(batch, LabelledBatch):
                raise TypeError(type(batch))
            return sum(self._loss(network, batch, weights), torch.zeros((), device=self.device))

        sparsity = cubic_sparsity(update, max(plan.updates.values()), prune.sparsity)
        steps_done = 0

        def on_step() -> None:
            nonlocal steps_done
            steps_done += 1
            message = f"mask update {update}/{max(plan.updates.values())}: gradient {steps_done}/{prune.num_grads}"
            self.on_progress(self._unit_done, self._unit_total, message)

        masks = update_masks(
            self.network, self.masks, batches(), loss, prune, sparsity, generator, self.dtype, on_step
        )
        self._set_masks(masks)
        jaccard = list(masks.jaccard().values())
        log.write(
            "masks",
            step=number,
            update=update,
            sparsity=masks.sparsity(),
            jaccard=sum(jaccard) / len(jaccard) if jaccard else None,
            seconds=round(time.monotonic() - started, 1),
        )

    # ------------------------------------------------------------------ data

    def _prepare_data(self) -> None:
        from sparsecbm_core.data.batches import tokenize

        self._encoded = tokenize(self.tokenizer, self.train.texts, self.settings.max_length)
        self._targets = concept_targets(self.train.examples, self.train.space, self.settings.soft_concepts)
        self._labels = torch.tensor([example.label for example in self.train])
        self._lengths = [len(item.ids) for item in self._encoded]

    def _epoch_batches(self, plan: PhasePlan, epoch: int) -> list[list[int]]:
        seed = (self.settings.seed * 1009 + epoch) * 2 + (plan.name == SPARSE)
        generator = torch.Generator().manual_seed(seed)
        return length_buckets(self._lengths, self.settings.batch_size, generator)

    def _batch(self, indices: list[int]) -> LabelledBatch:
        pad_id = int(self.tokenizer.pad_token_id)
        return labelled_batch(indices, self._encoded, self._targets, self._labels, pad_id, self.device)

    def as_model(self) -> ConceptModel:
        """The network as it stands, in eval mode."""
        self.network.eval()
        masks = self.masks if self.settings.kind == "sparse" else None
        return ConceptModel(self.network, self.tokenizer, masks, self.settings.max_length)

    def _dev_scores(self) -> dict[str, float]:
        from sparsecbm_core.evaluate.classification import accuracies

        with self.autocast(), torch.no_grad():
            predictions = self.as_model().predict(self.dev.texts, 64, self._effective())
        return accuracies(predictions, self.dev)

    # ------------------------------------------------------------------ progress and state

    def _phase_units(self, plan: PhasePlan) -> int:
        per_step = SPARSE_STEP_COST if plan.name == SPARSE else 1
        return plan.total * per_step + len(plan.updates) * self.settings.prune.num_grads * SPARSE_STEP_COST

    def _report_done(self, plan: PhasePlan, steps: int, message: str = "") -> None:
        before = self._phase_units(self._plans()[0]) if plan.name == SPARSE and len(self._plans()) > 1 else 0
        per_step = SPARSE_STEP_COST if plan.name == SPARSE else 1
        updates = sum(step < steps for step in plan.updates)
        self._unit_done = before + steps * per_step + updates * self.settings.prune.num_grads * SPARSE_STEP_COST
        self.on_progress(self._unit_done, self._unit_total, message)

    def _save(self, path: Path, position: Position, optimizer: torch.optim.Optimizer) -> None:
        tensors = {f"model/{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self.best.items()}
        tensors |= optimizer_tensors(self.network, optimizer)
        tensors["rng"] = torch.get_rng_state()
        for kind, masks in (("mask", self.masks), ("best_mask", self.best_masks)):
            if masks is not None:
                tensors |= {f"{kind}/{n}": torch.from_numpy(b.copy()) for n, b in masks.packed.items()}
        save_state(path, self._fingerprint(), position, tensors)
        self._last_save = time.monotonic()

    def _restore(self, optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
        def part(prefix: str) -> dict[str, torch.Tensor]:
            return {k.split("/", 1)[1]: t for k, t in tensors.items() if k.startswith(prefix + "/")}

        self.network.load_state_dict(part("model"))
        self.best = part("best")
        restore_optimizer(self.network, optimizer, tensors)
        if isinstance(self.network, SparseCBM):
            for kind in ("mask", "best_mask"):
                packed = {name: tensor.numpy() for name, tensor in part(kind).items()}
                if packed:
                    masks = MaskSet(self.train.space.concepts, self.network.mask_shapes, packed)
                    if kind == "mask":
                        self._set_masks(masks)
                    else:
                        self.best_masks = masks
        torch.set_rng_state(tensors["rng"])


def _set_dropout(network: torch.nn.Module, probability: float) -> None:
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = probability


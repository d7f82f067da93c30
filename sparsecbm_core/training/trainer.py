"""Train a standard classifier, a dense CBM of three kinds, or a SparseCBM; stoppable and reproducible."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from sparsecbm_core.config import HEAD_KINDS, TrainSettings
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import SettingsError, TrainingError
from sparsecbm_core.evaluate.classification import accuracies
from sparsecbm_core.models.attention import fused_when_long
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.device import pick_device
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier
from sparsecbm_core.models.subnetworks import EffectiveWeights
from sparsecbm_core.training.average import WeightAverage
from sparsecbm_core.training.finish import finish_model
from sparsecbm_core.training.heads import HeadTask, fresh_head, head_task, phase_scores
from sparsecbm_core.training.log import RunLog
from sparsecbm_core.training.losses import JointLoss, LabelledBatch, concept_loss, joint_loss, swap_loss
from sparsecbm_core.training.mask_update import masks_before
from sparsecbm_core.training.masked_step import WeightsUnderMasks
from sparsecbm_core.training.optim import build_optimizer, set_learning_rate
from sparsecbm_core.training.plan import HEAD, SPARSE, PhasePlan, RunProgress, plan_phases
from sparsecbm_core.training.runtime import pick_precision
from sparsecbm_core.training.snapshot import Snapshot
from sparsecbm_core.training.start import TrainingBatches, check_run, starting_network
from sparsecbm_core.training.state import Position, load_state, save_state
from sparsecbm_core.training.teacher import origin, taught

STATE_FILE = "resume.safetensors"


class Trainer:
    """Fit a model on ``train``, choose its best epoch on ``dev``, write a checkpoint folder.

    Procedure: the dense joint CBM for ``dense_epochs`` (skipped with ``init``, a dense
    `ConceptModel` whose copy is trained instead); then, for kind "sparse", ``sparse_epochs`` under
    all K masks with gradual pruning on a cubic schedule, from the best dense epoch. For "sequential"
    and "independent" the first phase learns concepts alone, and a second one the label head from
    what came out of it (`HeadTask`). Every phase keeps its best epoch by the mean of concept and task
    accuracy on dev (task alone for "standard" and for heads, concepts alone where nothing else is
    learned); sparse epochs count only at the full sparsity. With a ``distillation`` the sparse phase learns
    from the mean of what the ``teachers`` say, or without any from the dense model that it starts with.

    Runs with equal settings, data and machine are equal on the CPU. The state is saved every
    epoch and every ``save_seconds``; ``run(resume=True)`` goes on from it to the same result.
    ``on_progress(done, total, message)`` gets work units, not seconds. Each epoch's line of the log
    has the mean task loss and the mean concept loss Σ_k CE(ℓ_k, c_k), without γ. A loss or a gradient
    that is not finite ends the run with a `TrainingError` that names the step.
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
        teachers: Sequence[ConceptModel] = (),
    ) -> None:
        check_run(settings, train, dev, init is not None, teachers)
        self.settings, self.train, self.dev, self.output = settings, train, dev, Path(output)
        self.device = pick_device(device)
        self.dtype = pick_precision(settings.precision, self.device)
        self.save_seconds, self.on_progress = save_seconds, on_progress
        self.init = None if init is None else origin(init)
        self.teachers = tuple(teachers)
        torch.manual_seed(settings.seed)
        self.network, self.tokenizer = starting_network(settings, train.space, init, self.device)
        self.plans = plan_phases(settings, len(train), init is not None)
        self.masks: MaskSet | None = None
        self._weights: WeightsUnderMasks | None = None
        self.average: WeightAverage | None = None
        self.best: dict[str, torch.Tensor] = {}
        self.best_masks: MaskSet | None = None
        self.teacher: dict[str, torch.Tensor] = {}
        self.head_task: HeadTask | None = None

    def run(self, resume: bool = False) -> ConceptModel:
        """Train to the end; returns the finished model, also saved in the output folder."""
        self.output.mkdir(parents=True, exist_ok=True)
        self.batches = TrainingBatches(self.train, self.tokenizer, self.settings, self.device)
        self.progress = RunProgress(self.plans, self.on_progress)
        torch.manual_seed(self.settings.seed)  # whatever was drawn since the trainer was made
        position, snapshot = self._saved() if resume and self.state_path.is_file() else (None, None)
        log = RunLog(self.output / "log.jsonl", position.log_bytes if position else 0)
        self._last_save = time.monotonic()
        if position is None:
            log.write("start", settings=self.settings.to_dict(), train=len(self.train), dev=len(self.dev))
        order = [plan.name for plan in self.plans]
        for plan in self.plans:
            if position is not None and order.index(position.phase) > order.index(plan.name):
                continue
            self._run_phase(plan, log, position, snapshot)
            position, snapshot = None, None
        model = finish_model(self, log)
        self.state_path.unlink(missing_ok=True)
        return model

    @property
    def precision(self) -> str:
        """What "auto" came to here."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def state_path(self) -> Path:
        """Where a stopped run goes on from."""
        return self.output / STATE_FILE

    def as_model(self) -> ConceptModel:
        """The network as it stands, in eval mode."""
        self.network.eval()
        masks = self.masks if self.settings.kind == "sparse" else None
        return ConceptModel(self.network, self.tokenizer, masks, self.settings.max_length)

    def _fingerprint(self) -> dict[str, Any]:
        return {
            "settings": self.settings.to_dict(),
            "train": self.train.fingerprint(),
            "dev": self.dev.fingerprint(),
            "init": self.init and self.init["fingerprint"],
            "teachers": [model.fingerprint for model in self.teachers],
            "device": self.device.type,
            "precision": self.precision,
        }

    def _saved(self) -> tuple[Position, Snapshot]:
        position, tensors = load_state(self.state_path, self._fingerprint())
        shapes = self.network.mask_shapes if isinstance(self.network, SparseCBM) else {}
        return position, Snapshot.from_tensors(tensors, self.train.space.concepts, shapes)

    def _run_phase(
        self, plan: PhasePlan, log: RunLog, position: Position | None, snapshot: Snapshot | None
    ) -> None:
        if plan.name == SPARSE and isinstance(self.network, SparseCBM):
            if self.settings.distillation:
                self.teacher = snapshot.teacher if snapshot is not None else taught(self)
                self.batches.distil(self.teacher, self.settings.distillation)
            self._set_masks(MaskSet.ones(self.train.space.concepts, self.network.mask_shapes))
        if plan.name == HEAD and isinstance(self.network, SparseCBM):
            fresh_head(self.network, self.settings.seed)
        averaged = self.settings.weight_average and plan.name != HEAD
        self.average = WeightAverage(self.network, self.settings.weight_average) if averaged else None
        optimizer = build_optimizer(self.network, self.settings, plan.encoder_lr)
        if position is None or snapshot is None:
            position = Position(plan.name, 0, 0, None, None, log.size())
        else:
            snapshot.restore(self.network, optimizer)
            self.best, self.best_masks = snapshot.best, snapshot.best_masks
            if snapshot.masks is not None:
                self._set_masks(snapshot.masks)
            if self.average is not None:
                self.average.restore(snapshot.average)
        self.head_task = head_task(self) if plan.name == HEAD else None
        while position.epoch < plan.epochs:
            position = self._run_epoch(plan, position, optimizer, log)
            if plan.name != HEAD:  # whose epochs are shorter than writing the whole network
                self._save(replace(position, log_bytes=log.size()), optimizer)
        self.network.load_state_dict(self.best)
        if self.best_masks is not None:
            self._set_masks(self.best_masks)
        log.write("best", phase=plan.name, epoch=position.best_epoch, score=position.best_score)

    def _run_epoch(
        self, plan: PhasePlan, position: Position, optimizer: torch.optim.Optimizer, log: RunLog
    ) -> Position:
        first = position.epoch * plan.steps_per_epoch
        batches = self.batches.epoch((self.settings.seed * 1009 + position.epoch) * 2 + plan.is_second)
        task_sum, concept_sum, seen = position.loss_sums
        self.progress.steps(plan, first + position.step)
        for step in range(position.step, plan.steps_per_epoch):
            if first + step in plan.updates:
                self._update_masks(plan, first + step, log)
            set_learning_rate(optimizer, first + step, plan.total, self.settings.warmup_share)
            where = f"{plan.name} epoch {position.epoch + 1}, step {step + 1}"
            task, concept = self._train_step(batches[step], optimizer, where)
            task_sum, concept_sum, seen = task_sum + task, concept_sum + concept, seen + 1
            self.progress.steps(
                plan, first + step + 1, f"{plan.name} epoch {position.epoch + 1}/{plan.epochs}"
            )
            if time.monotonic() - self._last_save > self.save_seconds:
                sums = (task_sum, concept_sum, seen)
                here = replace(position, step=step + 1, loss_sums=sums, log_bytes=log.size())
                self._save(here, optimizer)
        with self.average.in_place_of(self.network) if self.average is not None else nullcontext():
            return self._end_epoch(plan, position, (task_sum, concept_sum, seen), log)

    def _end_epoch(
        self, plan: PhasePlan, position: Position, loss_sums: tuple[float, float, int], log: RunLog
    ) -> Position:
        """Measure on dev, keep the network where it is the best so far."""
        task_sum, concept_sum, seen = loss_sums
        scores = phase_scores(self._dev_scores(), plan.name)
        log.write(
            "epoch",
            phase=plan.name,
            epoch=position.epoch + 1,
            task_loss=task_sum / max(1, seen),
            concept_loss=concept_sum / max(1, seen),
            **scores,
        )
        best_score, best_epoch = position.best_score, position.best_epoch
        better = best_score is None or scores["score"] > best_score
        if better and plan.reached_sparsity(position.epoch):
            best_score, best_epoch = scores["score"], position.epoch + 1
            self.best = {name: t.detach().clone() for name, t in self.network.state_dict().items()}
            self.best_masks = self.masks
        return Position(plan.name, position.epoch + 1, 0, best_score, best_epoch, log.size())

    def _train_step(
        self, indices: list[int], optimizer: torch.optim.Optimizer, where: str
    ) -> tuple[float, float]:
        self.network.train()
        if self.head_task is not None:
            loss = self.head_task.loss(indices)
        else:
            loss = self._loss(self.network, self.batches.gather(indices), self._effective())
        task, concept = loss.task.item(), loss.concept.item()
        optimizer.zero_grad(set_to_none=True)
        loss.total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.max_grad_norm).item()
        if not math.isfinite(task + concept + norm):
            raise TrainingError(
                f"{where}: task loss {task:g}, concept loss {concept:g}, gradient norm {norm:g}; "
                "lower the learning rates, or see what is odd about these reviews"
            )
        optimizer.step()
        if self.average is not None:
            self.average.update(self.network)
        return task, concept

    def _loss(
        self, network: SparseCBM | StandardClassifier, batch: LabelledBatch, weights: EffectiveWeights | None
    ) -> JointLoss:
        gamma = self.settings.gamma
        with self.autocast(), fused_when_long():
            if isinstance(network, StandardClassifier):
                task = F.cross_entropy(network(batch.input_ids, batch.attention_mask).float(), batch.labels)
                return JointLoss(task, torch.zeros_like(task), gamma)
            output = network(batch.input_ids, batch.attention_mask, weights)
        if self.settings.kind in HEAD_KINDS:  # the head comes later, and has no part in the concepts
            concept = concept_loss(output.concept_logits, batch.concepts)
            return JointLoss(torch.zeros_like(concept), concept, 1.0)
        joint = joint_loss(output, batch, gamma)
        if self.settings.swap_loss and weights is not None and output.pooled is not None:
            swapped = network.project_swapped(output.pooled)
            shares = self.batches.concepts.mean(0).to(swapped.device)
            joint = replace(joint, swap=self.settings.swap_loss * swap_loss(swapped, shares))
        return joint

    def autocast(self) -> AbstractContextManager[Any]:
        """The run's precision, for forward passes."""
        enabled = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype if enabled else None, enabled=enabled)

    def _effective(self) -> EffectiveWeights | None:
        return None if self._weights is None else self._weights.now()

    def _dev_scores(self) -> dict[str, float]:
        if self.head_task is not None:
            return accuracies(self.head_task.predictions(), self.dev)
        with self.autocast(), torch.no_grad(), fused_when_long():
            predictions = self.as_model().predict(self.dev.texts, 64, self._effective())
        return accuracies(predictions, self.dev)

    def _set_masks(self, masks: MaskSet) -> None:
        if isinstance(self.network, SparseCBM):
            self.masks = masks
            self._weights = WeightsUnderMasks.of(masks, self.network.masked_layers, self.dtype)

    def _update_masks(self, plan: PhasePlan, step: int, log: RunLog) -> None:
        started = time.monotonic()
        if self.masks is None or not isinstance(self.network, SparseCBM):
            raise SettingsError("only a SparseCBM has masks to update")

        def loss(network: SparseCBM, batch: LabelledBatch, weights: EffectiveWeights) -> torch.Tensor:
            return self._loss(network, batch, weights).total

        masks = masks_before(
            step, plan, self.network, self.masks, self.batches, self.settings, loss, self.dtype, self.progress
        )
        self._set_masks(masks)
        if self.average is not None and self.settings.prune.method == "partition":
            self.average.restart(self.network)  # of weights that are others now
        jaccard = list(masks.jaccard().values())
        log.write(
            "masks",
            step=step,
            update=plan.updates[step],
            sparsity=masks.sparsity(),
            jaccard=sum(jaccard) / len(jaccard) if jaccard else None,
            seconds=round(time.monotonic() - started, 1),
        )

    def _save(self, position: Position, optimizer: torch.optim.Optimizer) -> None:
        snapshot = Snapshot.of(
            self.network,
            optimizer,
            self.best,
            self.masks,
            self.best_masks,
            self.teacher,
            self.average.tensors() if self.average is not None else None,
        )
        save_state(self.state_path, self._fingerprint(), position, snapshot.tensors())
        self._last_save = time.monotonic()

"""One phase of a run: from its first step, or where a stopped run left it, to its best epoch."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace

import torch

from sparsecbm_core.errors import TrainingError
from sparsecbm_core.evaluate.classification import accuracies
from sparsecbm_core.models.attention import fused_when_long
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.training.average import WeightAverage
from sparsecbm_core.training.heads import HeadTask, fresh_head, head_task, phase_scores
from sparsecbm_core.training.mask_update import apply_update
from sparsecbm_core.training.optim import build_optimizer, set_learning_rate
from sparsecbm_core.training.plan import HEAD, SPARSE, PhasePlan
from sparsecbm_core.training.run import Run
from sparsecbm_core.training.snapshot import Snapshot, Tensors
from sparsecbm_core.training.state import Position, StateFile
from sparsecbm_core.training.teacher import taught


class Phase:
    """The epochs of one `PhasePlan`; ``position`` and ``snapshot`` are those of a stopped run, if any.

    Leaves the run's network and masks as its best epoch had them.
    """

    def __init__(
        self, run: Run, plan: PhasePlan, file: StateFile, position: Position | None, snapshot: Snapshot | None
    ) -> None:
        self.current, self.plan, self.file = run, plan, file
        settings, network = run.settings, run.network
        self.teacher: Tensors = {}
        if plan.name == SPARSE and isinstance(network, SparseCBM):
            if settings.distillation:
                self.teacher = snapshot.teacher if snapshot is not None else taught(run)
                run.batches.distil(self.teacher, settings.distillation)
            run.set_masks(run.init_masks or MaskSet.ones(network.parts, network.mask_shapes))
        if plan.name == HEAD and isinstance(network, SparseCBM):
            fresh_head(network, settings.seed)
        averaged = settings.weight_average and plan.name != HEAD
        self.average = WeightAverage(network, settings.weight_average) if averaged else None
        self.optimizer = build_optimizer(network, settings, plan.encoder_lr)
        self.best: Tensors = {}
        self.best_masks: MaskSet | None = None
        self.position = position or Position(plan.name, 0, 0, None, None, run.log.size())
        if snapshot is not None:
            self._restore(snapshot)
        self.head_task: HeadTask | None = head_task(run) if plan.name == HEAD else None

    def _restore(self, snapshot: Snapshot) -> None:
        snapshot.restore(self.current.network, self.optimizer)
        self.best, self.best_masks = snapshot.best, snapshot.best_masks
        if snapshot.masks is not None:
            self.current.set_masks(snapshot.masks)
        if self.average is not None:
            self.average.restore(snapshot.average)

    def run(self) -> None:
        """Train to the end of the phase."""
        run, log = self.current, self.current.log
        while self.position.epoch < self.plan.epochs:
            self._run_epoch()
            if self.plan.name != HEAD:  # whose epochs are shorter than writing the whole network
                self._save()
        run.network.load_state_dict(self.best)
        if self.best_masks is not None:
            run.set_masks(self.best_masks)
        best = self.position
        log.write("best", phase=self.plan.name, epoch=best.best_epoch, score=best.best_score)

    def _run_epoch(self) -> None:
        run, plan, start = self.current, self.plan, self.position
        first, number = start.epoch * plan.steps_per_epoch, start.epoch + 1
        batches = run.batches.epoch((run.settings.seed * 1009 + start.epoch) * 2 + plan.is_second)
        task_sum, concept_sum, seen = start.loss_sums
        run.progress.steps(plan, first + start.step)
        for step in range(start.step, plan.steps_per_epoch):
            if first + step in plan.updates:
                self._update_masks(first + step)
            set_learning_rate(self.optimizer, first + step, plan.total, run.settings.warmup_share)
            task, concept = self._train_step(batches[step], f"{plan.name} epoch {number}, step {step + 1}")
            task_sum, concept_sum, seen = task_sum + task, concept_sum + concept, seen + 1
            run.progress.steps(plan, first + step + 1, f"{plan.name} epoch {number}/{plan.epochs}")
            self.position = replace(start, step=step + 1, loss_sums=(task_sum, concept_sum, seen))
            if self.file.is_due:
                self._save()
        with self.average.in_place_of(run.network) if self.average is not None else nullcontext():
            self._end_epoch()

    def _end_epoch(self) -> None:
        """Measure on dev, keep the network where it is the best so far."""
        run, plan, at = self.current, self.plan, self.position
        task_sum, concept_sum, seen = at.loss_sums
        scores = phase_scores(self._dev_scores(), plan.name)
        run.log.write(
            "epoch",
            phase=plan.name,
            epoch=at.epoch + 1,
            task_loss=task_sum / max(1, seen),
            concept_loss=concept_sum / max(1, seen),
            **scores,
        )
        best_score, best_epoch = at.best_score, at.best_epoch
        better = best_score is None or scores["score"] > best_score
        if better and plan.reached_sparsity(at.epoch):
            best_score, best_epoch = scores["score"], at.epoch + 1
            self.best = {name: t.detach().clone() for name, t in run.network.state_dict().items()}
            self.best_masks = run.masks
        self.position = Position(plan.name, at.epoch + 1, 0, best_score, best_epoch, run.log.size())

    def _train_step(self, indices: list[int], where: str) -> tuple[float, float]:
        run, network = self.current, self.current.network
        network.train()
        if self.head_task is not None:
            loss = self.head_task.loss(indices)
        else:
            loss = run.loss(network, run.batches.gather(indices), run.weights())
        task, concept = loss.task.item(), loss.concept.item()
        self.optimizer.zero_grad(set_to_none=True)
        loss.total.backward()
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), run.settings.max_grad_norm).item()
        if not math.isfinite(task + concept + norm):
            raise TrainingError(
                f"{where}: task loss {task:g}, concept loss {concept:g}, gradient norm {norm:g}; "
                "lower the learning rates, or see what is odd about these reviews"
            )
        self.optimizer.step()
        if self.average is not None:
            self.average.update(network)
        return task, concept

    def _dev_scores(self) -> dict[str, float]:
        run = self.current
        if self.head_task is not None:
            return accuracies(self.head_task.predictions(), run.dev)
        with run.autocast(), torch.no_grad(), fused_when_long():
            predictions = run.as_model().predict(run.dev.texts, 64, run.weights())
        return accuracies(predictions, run.dev)

    def _update_masks(self, step: int) -> None:
        apply_update(self.current, self.plan, step)
        if self.average is not None and self.current.settings.prune.method == "partition":
            self.average.restart(self.current.network)  # of weights that are others now

    def _save(self) -> None:
        run = self.current
        snapshot = Snapshot.of(
            run.network,
            self.optimizer,
            self.best,
            run.masks,
            self.best_masks,
            self.teacher,
            self.average.tensors() if self.average is not None else None,
        )
        self.file.save(replace(self.position, log_bytes=run.log.size()), snapshot.tensors())

"""What every phase of a run works with: settings, data, the network under training, who hears of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from sparsecbm_core.config import HEAD_KINDS, TrainSettings
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.models.attention import fused_when_long
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.honest_cbm import HonestCBM
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier
from sparsecbm_core.models.subnetworks import EffectiveWeights
from sparsecbm_core.training.log import RunLog
from sparsecbm_core.training.losses import JointLoss, LabelledBatch, concept_loss, joint_loss, swap_loss
from sparsecbm_core.training.masked_step import WeightsUnderMasks
from sparsecbm_core.training.pathway import pathway_losses
from sparsecbm_core.training.plan import RunProgress
from sparsecbm_core.training.start import TrainingBatches


@dataclass
class Run:
    """One run of a `Trainer`.

    ``batches`` are the training reviews as tokens and targets. ``init`` is what the run records of the model
    that it started from and ``init_masks`` the masks of that model, which then stay; ``teachers`` are the
    models that it learns from besides. ``masks`` are those of the sparse phase, None before it.
    """

    settings: TrainSettings
    train: ReviewDataset
    dev: ReviewDataset
    output: Path
    network: SparseCBM | StandardClassifier
    tokenizer: Any
    batches: TrainingBatches
    device: torch.device
    dtype: torch.dtype
    progress: RunProgress
    init: dict[str, Any] | None = None
    init_masks: MaskSet | None = None
    teachers: tuple[ConceptModel, ...] = ()
    log: RunLog = field(init=False)  # opened as the run begins, where a stopped one left it
    masks: MaskSet | None = field(default=None, init=False)
    _weights: WeightsUnderMasks | None = field(default=None, init=False)

    @property
    def precision(self) -> str:
        """What "auto" came to here."""
        return str(self.dtype).removeprefix("torch.")

    def fingerprint(self) -> dict[str, Any]:
        """All that decides the result: a stopped run goes on only where it is the same."""
        return {
            "settings": self.settings.to_dict(),
            "train": self.train.fingerprint(),
            "dev": self.dev.fingerprint(),
            "init": self.init and self.init["fingerprint"],
            "teachers": [model.fingerprint for model in self.teachers],
            "device": self.device.type,
            "precision": self.precision,
        }

    def as_model(self) -> ConceptModel:
        """The network as it stands, in eval mode."""
        self.network.eval()
        return ConceptModel(self.network, self.tokenizer, self.masks, self.settings.max_length)

    def autocast(self) -> AbstractContextManager[Any]:
        """The run's precision, for forward passes."""
        enabled = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype if enabled else None, enabled=enabled)

    def set_masks(self, masks: MaskSet) -> None:
        """Train under these from now on."""
        if isinstance(self.network, SparseCBM):
            self.masks = masks
            self._weights = WeightsUnderMasks.of(masks, self.network.masked_layers, self.dtype)

    def weights(self) -> EffectiveWeights | None:
        """The weights under the masks as they stand, with gradients; None while the network is dense."""
        return None if self._weights is None else self._weights.now()

    def loss(
        self, network: SparseCBM | StandardClassifier, batch: LabelledBatch, weights: EffectiveWeights | None
    ) -> JointLoss:
        """Of one batch, as the settings weigh it."""
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
        if isinstance(network, HonestCBM):
            task, locality = pathway_losses(network, output, batch, self.settings)
            joint = replace(joint, task=task, locality=locality)
        if self.settings.swap_loss and weights is not None and output.pooled is not None:
            swapped = network.project_swapped(output.pooled)
            shares = self.batches.concepts.mean(0).to(swapped.device)
            joint = replace(joint, swap=self.settings.swap_loss * swap_loss(swapped, shares))
        return joint

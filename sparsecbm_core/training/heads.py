"""The label head φ of a concept bottleneck, trained after the concepts: sequentially or independently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.concept_model import Predictions
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.training.losses import JointLoss
from sparsecbm_core.training.plan import CONCEPTS, HEAD
from sparsecbm_core.training.run import Run


@dataclass(frozen=True)
class HeadTask:
    """What the head learns from, with encoder and projector at rest (Koh et al. 2020, section 3).

    ``inputs`` (N, K, C) with ``labels`` (N, Y): of a *sequential* bottleneck the activations that its own
    concept predictor gives for the training reviews, of an *independent* one their annotated states. Both
    are read with predicted activations afterwards; ``dev_logits`` (M, K, C) are the predictor's. All are
    made once: an epoch runs no encoder.

    The activations σ(ℓ) of one concept do not add up to 1 as its annotated states do, since cross-entropy
    leaves the level of ℓ free: an independent head meets inputs of a kind it has not seen, at a cost in task
    accuracy that belongs to this way of training.
    """

    network: SparseCBM
    inputs: torch.Tensor
    labels: torch.Tensor
    dev_logits: torch.Tensor

    def loss(self, indices: Sequence[int]) -> JointLoss:
        """Task loss of some training reviews; concepts have no part in it."""
        chosen = torch.tensor(list(indices), device=self.inputs.device)
        task = F.cross_entropy(self.network.label_logits(self.inputs[chosen]), self.labels[chosen])
        return JointLoss(task, torch.zeros_like(task), 0.0)

    def predictions(self) -> Predictions:
        """Of the dev reviews, as `ConceptModel.predict` gives them."""
        activations = self.dev_logits.sigmoid()
        with torch.no_grad():
            labels = self.network.label_logits(activations.to(self.inputs.device)).float().cpu()
        return Predictions(self.dev_logits, activations, labels)


def head_task(run: Run) -> HeadTask:
    """The run's network as it stands with what its head is to learn from; reads every review once."""
    model, independent = run.as_model(), run.settings.kind == "independent"
    if not independent:
        run.progress.note("activations of the training data")
    with run.autocast(), torch.no_grad():
        inputs = run.batches.concepts if independent else model.predict(run.train.texts, 64).activations
        dev_logits = model.predict(run.dev.texts, 64).concept_logits
    if inputs is None or dev_logits is None:
        raise SettingsError("a label head of its own needs a model with concepts")
    labels = run.batches.labels.to(run.device)
    return HeadTask(model.cbm, inputs.to(run.device), labels, dev_logits)


def fresh_head(network: SparseCBM, seed: int) -> None:
    """Draw φ anew, whatever was there and whatever was drawn before."""
    y, k, c = network.classifier.shape
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        drawn = nn.init.normal_(torch.empty(y, k, c), std=(k * c) ** -0.5, generator=generator)
        network.classifier.copy_(drawn)
        network.classifier_bias.zero_()


def phase_scores(scores: dict[str, float], phase: str) -> dict[str, float]:
    """What an epoch of this phase is measured and chosen by.

    A phase of concepts has no trained head, so that its task accuracy would mean nothing; in the head
    phase the concepts stay as they are, and the task decides.
    """
    if phase == CONCEPTS:
        return {"concept_accuracy": scores["concept_accuracy"], "score": scores["concept_accuracy"]}
    return {**scores, "score": scores["task_accuracy"]} if phase == HEAD else scores

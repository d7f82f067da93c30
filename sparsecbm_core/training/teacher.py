"""What the dense model teaches its subnetworks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from sparsecbm_core.errors import SettingsError

if TYPE_CHECKING:
    from sparsecbm_core.training.trainer import Trainer


def dense_predictions(trainer: Trainer) -> dict[str, torch.Tensor]:
    """What the dense model says of the training reviews: concepts (N, K, C) and labels (N, Y)."""
    dense = replace(trainer.as_model(), masks=None)
    with trainer.autocast(), torch.no_grad():
        said = dense.predict(trainer.train.texts, 64)
    if said.concept_logits is None:
        raise SettingsError("distillation needs a model with concepts")
    return {"concepts": said.concept_logits.softmax(-1), "labels": said.label_logits.softmax(-1)}

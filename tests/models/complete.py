"""A tiny model with everything that a checkpoint can hold."""

from __future__ import annotations

from dataclasses import replace

import torch

from sparsecbm_core.models.backbone import vocabulary_size
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.training_words import TrainingWords

METRICS = {"dev": {"examples": 3, "task_accuracy": 0.5, "sparsity": {"food": 0.75}, "prunable_weights": 4096}}
TRAINING = {
    "settings": {"kind": "sparse", "seed": 4, "backbone": "tiny"},
    "data": "toy",
    "train_examples": 48,
}


def head():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 9, generator=generator), torch.randn(4, generator=generator)


def words(model: ConceptModel) -> TrainingWords:
    return TrainingWords(torch.linspace(-3.0, 3.0, vocabulary_size(model.network.encoder)).half(), 0.1)


def complete(model: ConceptModel) -> ConceptModel:
    return replace(model, head=head(), metrics=METRICS, training=TRAINING, words=words(model))

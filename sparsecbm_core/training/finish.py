"""From the best epoch to a finished model: reference activations, leakage head, figures, folder."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from sparsecbm_core.evaluate.leakage import fit_concept_head
from sparsecbm_core.evaluate.report import evaluate_model
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.training.teacher import origin

if TYPE_CHECKING:
    from sparsecbm_core.training.log import RunLog
    from sparsecbm_core.training.trainer import Trainer


def finish_model(trainer: Trainer, log: RunLog) -> ConceptModel:
    """Round the weights to fp16 as stored, measure on dev, save; returns the model as loaded back."""
    network = trainer.network
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
    model = trainer.as_model()
    head = None
    if isinstance(network, SparseCBM):
        trainer.progress.note("mean activations of the training data")
        with trainer.autocast():  # a mean over thousands of reviews needs no full precision
            activations = model.predict(trainer.train.texts, 64).activations
        if activations is not None:
            network.mean_activations.copy_(activations.mean(0).half())
        head = fit_concept_head(trainer.train)
    settings = trainer.settings.applied(from_model=trainer.init is not None)
    if trainer.init is not None:
        settings["backbone"] = trainer.init.get("settings", {}).get("backbone")  # its encoder is this one's
    training = {
        "settings": settings,
        "init": trainer.init,
        **({"teachers": [origin(model) for model in trainer.teachers]} if trainer.teachers else {}),
        "data": trainer.train.name,
        "train_split": trainer.train.split,
        "train_examples": len(trainer.train),
        "dev_split": trainer.dev.split,
        "precision": trainer.precision,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    model = replace(model, head=head, training=training)
    metrics = {trainer.dev.split: evaluate_model(model, trainer.dev).to_dict()}
    model = replace(model, metrics=metrics)
    log.write("finish", dev=metrics[trainer.dev.split])
    model.save_pretrained(trainer.output / "model")
    return ConceptModel.from_pretrained(trainer.output / "model", str(trainer.device))

"""From the best epoch to a finished model: reference activations, leakage head, figures, folder."""

from __future__ import annotations

import platform
from dataclasses import replace

import torch

from sparsecbm_core.config import PAPER
from sparsecbm_core.evaluate.leakage import fit_concept_head
from sparsecbm_core.evaluate.report import evaluate_model
from sparsecbm_core.models.backbone import vocabulary_size
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.training_words import TrainingWords
from sparsecbm_core.training.run import Run
from sparsecbm_core.training.teacher import origin


def finish_model(run: Run) -> ConceptModel:
    """Round the weights to fp16 as stored, measure on dev, save; returns the model as loaded back."""
    network = run.network
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
    model = run.as_model()
    head = None
    if isinstance(network, SparseCBM):
        if run.settings.trained_head == PAPER:
            run.progress.note("mean activations of the training data")
            with run.autocast():  # a mean over thousands of reviews needs no full precision
                activations = model.predict(run.train.texts, 64).activations
            if activations is not None:
                network.mean_activations.copy_(activations.mean(0).half())
        head = fit_concept_head(run.train)
    settings = run.settings.applied(from_model=run.init is not None)
    if run.init is not None:
        before = run.init.get("settings", {})
        settings["backbone"] = before.get("backbone")  # its encoder is this one's
        if run.init_masks is not None:
            settings["prune"] = before.get("prune")  # and its masks are
    training = {
        "settings": settings,
        "init": run.init,
        **({"teachers": [origin(model) for model in run.teachers]} if run.teachers else {}),
        "data": run.train.name,
        "train_split": run.train.split,
        "train_examples": len(run.train),
        "dev_split": run.dev.split,
        "precision": run.precision,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    unseen = model.encode(run.dev.texts)
    words = TrainingWords.of(run.batches.encoded, unseen, vocabulary_size(network.encoder))
    model = replace(model, head=head, training=training, words=words)
    metrics = {run.dev.split: evaluate_model(model, run.dev).to_dict()}
    model = replace(model, metrics=metrics)
    run.log.write("finish", dev=metrics[run.dev.split])
    model.save_pretrained(run.output / "model")
    return ConceptModel.from_pretrained(run.output / "model", str(run.device))

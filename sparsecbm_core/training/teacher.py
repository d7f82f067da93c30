"""What other models teach the subnetworks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.training.run import Run


def taught(run: Run) -> dict[str, torch.Tensor]:
    """What the run's teachers say of the training reviews on average: concepts (N, K, C) and labels (N, Y).

    Without teachers it is the network as it stands: the dense model that the subnetworks are cut from, or
    the sparse one that the run goes on from.
    """
    models = run.teachers or (replace(run.as_model(), masks=run.init_masks),)
    said = []
    for number, model in enumerate(models, start=1):
        if len(models) > 1:
            run.progress.note(f"teacher {number}/{len(models)} reads the training reviews")
        said.append(_predictions(model, run))
    return {name: torch.stack([one[name] for one in said]).mean(0) for name in said[0]}


def _predictions(model: ConceptModel, run: Run) -> dict[str, torch.Tensor]:
    with run.autocast(), torch.no_grad():
        said = model.predict(run.train.texts, 64)
    if said.concept_logits is None:
        raise SettingsError("distillation needs a model with concepts")
    return {"concepts": said.concept_logits.softmax(-1), "labels": said.label_logits.softmax(-1)}


def origin(model: ConceptModel) -> dict[str, Any]:
    """What a run records of a model that it had a part from: which it was, and how it was trained."""
    return {"fingerprint": model.fingerprint, **model.training}

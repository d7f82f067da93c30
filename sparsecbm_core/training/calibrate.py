"""One temperature for the label, fitted where training did not look, and built into the model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from sparsecbm_core.evaluate.calibration import fit_temperature, reliability
from sparsecbm_core.evaluate.common import check_labelled
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import OnCount, unheard

MOST = 4.0  # a model that needs more, or less than a fourth, has another fault


def calibrated(
    model: ConceptModel,
    texts: Sequence[str],
    labels: Sequence[int],
    data: str = "",
    on_progress: OnCount = unheard,
) -> ConceptModel:
    """The model with its label logits divided by the temperature that fits these labelled texts best.

    The label of a text stays what it is (Guo et al., 2017, Section 4.2), and so do its concepts; how sure the
    label is comes near to how often it is right. Contributions are divided as well, so that they still add
    up, and the expected value moves towards the middle or away from it. It is another model, with another
    fingerprint, whose figures have to be measured anew. ``training`` records the temperature, the calibration
    error before and after, and ``data``.

    >>> warmer = calibrated(model, reviews.texts, [example.label for example in reviews])
    >>> bool((warmer.predict(reviews.texts).labels == model.predict(reviews.texts).labels).all())
    True
    """
    check_labelled(texts, labels)
    gold = np.array(labels)
    before = model.predict(texts, on_progress=on_progress)
    temperature = float(np.clip(fit_temperature(before.label_logits, gold), 1 / MOST, MOST))
    network = copy.deepcopy(model.cbm)
    network.divide_labels(temperature)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())  # as it is kept
    record = {
        "temperature": temperature,
        "data": data,
        "reviews": len(texts),
        "ece_before": reliability(before.label_logits, gold).ece,
        "ece_after": reliability(before.label_logits / temperature, gold).ece,
        "of": model.fingerprint,
    }
    training = {**model.training, "label_temperature": record}
    return replace(model, network=network.eval().requires_grad_(False), metrics={}, training=training)

"""Whether 80 % sure is right in 80 % of cases: reliability tables, and one temperature to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.common import check_count, check_fits, data_name
from sparsecbm_core.models.concept_model import ConceptModel, Predictions
from sparsecbm_core.progress import OnCount, unheard

SCHEMA_VERSION = 1
BINS = 15
_INVERSE = (1e-3, 1e3)  # 1/T is looked for in here


@dataclass(frozen=True)
class ReliabilityTable:
    """The predicted class's confidence against how often it is right, in B bins of equal width.

    ``edges`` (B+1) from 0 to 1; ``confidence``, ``accuracy`` and ``count`` (B): means inside a bin, None
    where it is empty. ``ece`` is the mean distance of the two, each bin weighted by its count.
    """

    edges: tuple[float, ...]
    confidence: tuple[float | None, ...]
    accuracy: tuple[float | None, ...]
    count: tuple[int, ...]
    ece: float


def reliability(logits: torch.Tensor, gold: np.ndarray, bins: int = BINS) -> ReliabilityTable:
    """The table of N predictions from logits (N, classes) and gold classes (N,) (Guo et al., 2017, Eq. 3).

    Its ``ece`` is `classification.expected_calibration_error`.
    """
    check_count("bins", bins)
    _check_logits(logits, gold)
    probability, predicted = torch.softmax(logits.double(), -1).max(-1)
    confidence, right = probability.numpy(), predicted.numpy() == gold
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    sums = [np.bincount(index, weights=values, minlength=bins) for values in (confidence, right)]
    means = [[float(s / n) if n else None for s, n in zip(each, count, strict=True)] for each in sums]
    return ReliabilityTable(
        edges=tuple((np.arange(bins + 1) / bins).tolist()),
        confidence=tuple(means[0]),
        accuracy=tuple(means[1]),
        count=tuple(count.tolist()),
        ece=float(np.abs(sums[0] - sums[1]).sum() / len(gold)),
    )


@dataclass(frozen=True)
class Calibration:
    """Reliability of the label and of each concept's state, with the mean error over concepts."""

    data: Mapping[str, str]
    model: str
    settings: Mapping[str, Any]
    label: ReliabilityTable
    concepts: Mapping[str, ReliabilityTable] | None
    mean_concept_ece: float | None
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def calibration(
    model: ConceptModel,
    data: ReviewDataset,
    bins: int = BINS,
    predictions: Predictions | None = None,
    on_progress: OnCount = unheard,
) -> Calibration:
    """Reliability tables of a model; ``predictions`` are its own on this data, if they have been made.

    Raises `DataError` for data that is empty or for another model.
    """
    check_fits(model, data)
    made = model.predict(data.texts, on_progress=on_progress) if predictions is None else predictions
    concepts: dict[str, ReliabilityTable] | None = None
    if made.concept_logits is not None:
        gold = gold_states(data)
        concepts = {
            name: reliability(made.concept_logits[:, k], gold[:, k], bins)
            for k, name in enumerate(model.space.concepts)
        }
    errors = [table.ece for table in (concepts or {}).values()]
    return Calibration(
        data=data_name(data),
        model=model.fingerprint,
        settings={"bins": bins, "seed": None},
        label=reliability(made.label_logits, gold_labels(data), bins),
        concepts=concepts,
        mean_concept_ece=sum(errors) / len(errors) if errors else None,
    )


def fit_temperature(logits: torch.Tensor, gold: np.ndarray) -> float:
    """T > 0 for which softmax(ℓ/T) gives the gold classes the highest likelihood (Guo et al., 2017, Eq. 9).

    T > 1 makes a model less sure; the predicted class never changes. The likelihood is concave in 1/T, so
    its slope is bisected. T ends at 0.001 or 1000 where no inner value is best: every answer right, or
    worse than guessing.
    """
    _check_logits(logits, gold)
    values = logits.double()
    hit = values.gather(1, torch.as_tensor(gold)[:, None]).squeeze(1)  # (N,)

    def slope(inverse: float) -> float:
        """Of the mean negative log-likelihood over 1/T; it never falls."""
        return float(((values * (values * inverse).softmax(-1)).sum(-1) - hit).mean())

    low, high = np.log(_INVERSE)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(float(np.exp(middle))) > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


@dataclass(frozen=True)
class TemperatureScaling:
    """One temperature for the label's logits, fitted on one split and looked at on another.

    ``nll`` is the mean negative log-likelihood of the gold label; both tables are of ``data``.
    """

    data: Mapping[str, str]
    fitted_on: Mapping[str, str]
    model: str
    settings: Mapping[str, Any]
    temperature: float
    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float
    before: ReliabilityTable
    after: ReliabilityTable
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def temperature_scaling(
    model: ConceptModel,
    fit: ReviewDataset,
    data: ReviewDataset,
    bins: int = BINS,
    fit_predictions: Predictions | None = None,
    predictions: Predictions | None = None,
    on_progress: OnCount = unheard,
) -> TemperatureScaling:
    """Fit a temperature on ``fit`` and report calibration on ``data`` without and with it.

    The model is not changed. ``fit`` should be reviews that the model was not trained on, and for an
    honest figure not those of ``data`` either.
    """
    check_fits(model, fit)
    check_fits(model, data)
    chosen = model.predict(fit.texts, on_progress=on_progress) if fit_predictions is None else fit_predictions
    made = model.predict(data.texts, on_progress=on_progress) if predictions is None else predictions
    temperature = fit_temperature(chosen.label_logits, gold_labels(fit))
    logits, gold = made.label_logits.double(), gold_labels(data)
    before, after = reliability(logits, gold, bins), reliability(logits / temperature, gold, bins)
    target = torch.as_tensor(gold)
    return TemperatureScaling(
        data=data_name(data),
        fitted_on=data_name(fit),
        model=model.fingerprint,
        settings={"bins": bins, "seed": None},
        temperature=temperature,
        ece_before=before.ece,
        ece_after=after.ece,
        nll_before=float(F.cross_entropy(logits, target)),
        nll_after=float(F.cross_entropy(logits / temperature, target)),
        before=before,
        after=after,
    )


def _check_logits(logits: torch.Tensor, gold: np.ndarray) -> None:
    if logits.ndim != 2 or len(logits) != len(gold) or not len(gold):
        raise InputError(f"logits {tuple(logits.shape)} for {len(gold)} gold classes; one row each is needed")

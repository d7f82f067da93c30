"""Whether 80 % sure is right in 80 % of cases: reliability tables, and one temperature to mend it."""

from __future__ import annotations

import numpy as np
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.common import check_count
from sparsecbm_core.evaluate.trust.results import Reliability

BINS = 15
_INVERSE = (1e-3, 1e3)  # 1/T is looked for in here


def reliability(logits: torch.Tensor, gold: np.ndarray, bins: int = BINS) -> Reliability:
    """The predicted class's confidence against how often it is right, in ``bins`` of equal width, of N
    predictions from logits (N, classes) and gold classes (N,) (Guo et al., 2017, Eq. 3).

    >>> sure = torch.tensor([[9.0, 0.0], [9.0, 0.0]])
    >>> round(reliability(sure, np.array([0, 1])).ece, 2)
    0.5
    """
    check_count("bins", bins)
    _check_logits(logits, gold)
    probability, predicted = torch.softmax(logits.double(), -1).max(-1)
    confidence, right = probability.numpy(), predicted.numpy() == gold
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    sums = [np.bincount(index, weights=values, minlength=bins) for values in (confidence, right)]
    means = [[float(s / n) if n else None for s, n in zip(each, count, strict=True)] for each in sums]
    return Reliability(
        edges=tuple((np.arange(bins + 1) / bins).tolist()),
        confidence=tuple(means[0]),
        accuracy=tuple(means[1]),
        count=tuple(count.tolist()),
        ece=float(np.abs(sums[0] - sums[1]).sum() / len(gold)),
    )


def fit_temperature(logits: torch.Tensor, gold: np.ndarray) -> float:
    """T > 0 for which softmax(ℓ/T) gives the gold classes the highest likelihood (Guo et al., 2017, Eq. 9).

    T > 1 makes a model less sure; the predicted class never changes. The likelihood is concave in 1/T, so
    its slope is bisected. T ends at 0.001 or 1000 where no inner value is best: every answer right, or
    worse than guessing.

    >>> twice_as_sure = torch.tensor([[4.0, 1.0]] * 3).log()
    >>> round(fit_temperature(twice_as_sure, np.array([0, 0, 1])), 2)
    2.0
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


def _check_logits(logits: torch.Tensor, gold: np.ndarray) -> None:
    if logits.ndim != 2 or len(logits) != len(gold) or not len(gold):
        raise InputError(f"logits {tuple(logits.shape)} for {len(gold)} gold classes; one row each is needed")

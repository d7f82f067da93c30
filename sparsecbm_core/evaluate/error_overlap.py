"""Whether two concepts are read wrong in the same reviews, and how that goes with what their masks share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.common import check_fits, groups_of
from sparsecbm_core.evaluate.intervals import DRAWS, LEVEL, Interval, ends, resampled
from sparsecbm_core.models.concept_model import ConceptModel, Predictions
from sparsecbm_core.models.masks import chance_jaccard

_TINY = 1e-12  # a variance below this is rounding


@dataclass(frozen=True)
class PairErrors:
    """Two concepts of one model. ``jaccard`` of their masks, ``chance`` that of random ones as dense.

    ``both_wrong`` reviews are wrong in both, ``expected`` would be if errors were independent. ``phi`` is
    the correlation of the two errors, ``partial`` what is left of it when the length of the review and its
    label are taken out of both; None where one of them is never, or always, wrong.
    """

    first: str
    second: str
    jaccard: float
    chance: float
    both_wrong: int
    expected: float
    phi: Interval | None
    partial: Interval | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def error_overlap(
    model: ConceptModel,
    data: ReviewDataset,
    predictions: Predictions | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[PairErrors]:
    """Every pair of concepts of a SparseCBM; intervals by the bootstrap over reviews, edits of one together.

    ``predictions`` are the model's on this data, if they have been made. Raises `InputError` for a model
    without masks or with a single concept, `DataError` for data that is for another model.
    """
    check_fits(model, data)
    if model.masks is None:
        raise InputError("this model has no masks, and so no overlap; load a SparseCBM")
    concepts = model.space.concepts
    if len(concepts) < 2:
        raise InputError("a model with a single concept has no pair to compare")
    said = model.predict(data.texts) if predictions is None else predictions
    wrong = (said.states.numpy() != gold_states(data)).astype(np.float64)  # (N, K)
    groups, given = groups_of(data), length_and_label(data)
    shared, sparsity = model.masks.jaccard(), model.masks.sparsity()
    found = []
    for i, j in combinations(range(len(concepts)), 2):
        first, second = concepts[i], concepts[j]
        a, b = wrong[:, i], wrong[:, j]
        found.append(
            PairErrors(
                first,
                second,
                shared[first, second],
                chance_jaccard(1 - sparsity[first], 1 - sparsity[second]),
                int((a * b).sum()),
                float(a.sum() * b.sum() / len(data)),
                correlation(a, b, groups=groups, draws=draws, seed=seed),
                correlation(a, b, given, groups, draws, seed),
            )
        )
    return found


def length_and_label(data: ReviewDataset) -> np.ndarray:
    """What makes any concept hard or easy at once (N, Y): the logarithm of the number of words, and the gold
    label, one column for each but the first."""
    words = np.log1p([len(text.split()) for text in data.texts])
    labels = np.eye(data.space.num_labels)[gold_labels(data)][:, 1:]
    return np.column_stack([words, labels])


def correlation(
    first: np.ndarray,
    second: np.ndarray,
    given: np.ndarray | None = None,
    groups: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval | None:
    """Pearson's correlation of two columns (N,), of zeros and ones the phi coefficient, with its interval.

    With ``given`` (N, P) the partial correlation: of what least squares on these columns leaves of both. The
    interval is the percentile bootstrap over whole ``groups``, and everything is fitted anew in every draw:
    all of it follows from sums over reviews. None where there is nothing left to correlate.
    """
    columns = [np.ones(len(first)), *([] if given is None else given.T), first, second]
    values = np.column_stack(columns).astype(np.float64)  # (N, D): constant, P, and the two
    rows = np.einsum("nd,ne->nde", values, values).reshape(len(values), -1)
    found = resampled(rows, groups, partial(_left_over, width=values.shape[1]), draws, seed)
    return None if np.isnan(found.value) else found


def _left_over(sums: np.ndarray, width: int) -> np.ndarray:
    """Correlation of the last two columns without the others, from Σ v vᵀ (draws, D·D); NaN where none."""
    moments = sums.reshape(-1, width, width)
    known, both = moments[:, :-2, :-2], moments[:, :-2, -2:]  # (draws, P+1, P+1), (draws, P+1, 2)
    rest = moments[:, -2:, -2:] - both.mT @ np.linalg.pinv(known, hermitian=True) @ both  # (draws, 2, 2)
    a, b = rest[:, 0, 0], rest[:, 1, 1]
    least = _TINY * moments[:, 0, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = rest[:, 0, 1] / np.sqrt(np.maximum(a, 0) * np.maximum(b, 0))
    return np.where((a > least) & (b > least), value, np.nan)


def rank_correlation(
    x: Sequence[float], y: Sequence[float], groups: Sequence[str], draws: int = DRAWS, seed: int = 0
) -> Interval | None:
    """Spearman's ρ of points (x, y), with the percentile bootstrap over whole groups of points.

    None where all x or all y are equal.
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not len(xs) == len(ys) == len(groups):
        raise InputError(f"{len(xs)} and {len(ys)} values with {len(groups)} groups; one each a point needed")
    value = spearman(xs, ys) if len(xs) else np.nan
    if np.isnan(value):
        return None
    _, cluster = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(cluster == c) for c in range(int(cluster.max()) + 1)]
    low = high = None
    if len(members) > 1:
        rng, found = np.random.default_rng(seed), []
        for _ in range(draws):
            drawn = np.concatenate([members[c] for c in rng.integers(len(members), size=len(members))])
            found.append(spearman(xs[drawn], ys[drawn]))
        low, high = ends(np.array(found))
    return Interval(value, low, high, LEVEL, len(xs), len(members), "bootstrap")


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of two rows (N,), equal values sharing their mean rank; NaN if a row is constant."""
    from scipy.stats import rankdata

    a, b = (ranks - ranks.mean() for ranks in (rankdata(first), rankdata(second)))
    size = math.sqrt(float((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / size) if size else np.nan

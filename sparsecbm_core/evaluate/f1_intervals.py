"""How far a macro-F1 would move with other reviews of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.common import check_count
from sparsecbm_core.evaluate.intervals import DRAWS, LEVEL, Interval

_CELLS = 4_000_000  # counts held at once while resampling


def macro_f1_interval(
    gold: np.ndarray,
    predicted: np.ndarray,
    num_classes: int,
    groups: Sequence[str],
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval:
    """Percentile interval of the macro-F1 of ``gold`` and ``predicted`` class indices, (N,) or (N, K).

    Of K columns the mean of their macro-F1, all of them resampled together. Whole ``groups`` (N,) are drawn,
    as in `intervals.bootstrap`; each draw's F1 is the mean over the classes that occur in it.
    """
    check_count("draws", draws)
    first = gold.reshape(len(gold), -1)  # (N, K)
    second = predicted.reshape(len(predicted), -1)
    if first.shape != second.shape or not len(first) or len(groups) != len(first):
        raise InputError(
            f"gold classes {gold.shape}, predicted ones {predicted.shape} and {len(groups)} groups; one row "
            "and one group a review are needed"
        )
    _, cluster = np.unique(np.asarray(groups), return_inverse=True)
    cluster = cluster.astype(np.int64)
    clusters, columns = int(cluster.max()) + 1, first.shape[1]
    counts = np.zeros((clusters, 3, columns, num_classes))  # right, gold, predicted
    for k in range(columns):
        right = first[:, k] == second[:, k]
        for place, members, classes in ((0, right, first), (1, slice(None), first), (2, slice(None), second)):
            np.add.at(counts[:, place, k], (cluster[members], classes[members, k]), 1)
    value = float(_mean_f1(counts.sum(0)[None])[0])
    if clusters < 2:
        return Interval(value, None, None, level, len(first), clusters, "bootstrap")
    rng, scores = np.random.default_rng(seed), []
    flat = counts.reshape(clusters, -1)
    for start in range(0, draws, step := max(1, _CELLS // clusters)):
        drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), min(step, draws - start))
        scores.append(_mean_f1((drawn @ flat).reshape(-1, *counts.shape[1:])))
    low, high = np.quantile(np.concatenate(scores), (0.5 - level / 2, 0.5 + level / 2))
    return Interval(value, float(low), float(high), level, len(first), clusters, "bootstrap")


def _mean_f1(counts: np.ndarray) -> np.ndarray:
    """Macro-F1, mean over columns, (D,) of counts (D, 3, K, C): right, gold and predicted of each class."""
    right, said = counts[:, 0], counts[:, 1] + counts[:, 2]
    occurs = said > 0
    f1 = np.divide(2 * right, said, out=np.zeros_like(said), where=occurs)
    return (f1.sum(-1) / occurs.sum(-1)).mean(-1)

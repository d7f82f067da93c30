"""Confidence intervals: how far a figure would move with other reviews of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.evaluate.common import check_count

LEVEL, DRAWS = 0.95, 2000
_CELLS = 4_000_000  # counts held at once while resampling


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its confidence interval, None where nothing can be resampled.

    ``count`` values in ``clusters`` groups that were drawn as a whole; ``method`` is "wilson" or
    "bootstrap".
    """

    value: float
    low: float | None
    high: float | None
    level: float
    count: int
    clusters: int
    method: str


def wilson(successes: int, count: int, level: float = LEVEL) -> Interval:
    """The score interval of a share of independent trials (Wilson, 1927).

    It stays inside [0, 1] and is honest at shares of 0 and 1, where the plain normal one has no width.

    >>> found = wilson(8, 10)
    >>> f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"
    '0.80 [0.49, 0.94]'
    """
    _check_level(level)
    if count < 1 or not 0 <= successes <= count:
        raise InputError(f"{successes} of {count} is not a share; give at least one trial")
    share, z = successes / count, NormalDist().inv_cdf(0.5 + level / 2)
    scale = 1 + z * z / count
    centre = (share + z * z / (2 * count)) / scale
    half = z / scale * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return Interval(share, low, high, level, count, count, "wilson")


def bootstrap(
    values: Sequence[float] | np.ndarray,
    groups: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval:
    """Percentile interval of the mean of ``values`` (N,) (Efron, 1979).

    With ``groups`` (N,) whole groups are drawn, as many as there are (cluster bootstrap): the edits of
    one review share its words, and taken for independent they make an interval too narrow. A difference
    of two models on the same reviews is the mean of the differences.

    >>> bootstrap([0, 1, 1, 1], ["a", "a", "b", "b"], level=0.4).low
    0.75
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not len(given) or (groups is not None and len(groups) != len(given)):
        many = len(given) if groups is None else len(groups)
        raise InputError(f"values of shape {given.shape} with {many} groups; one group a value needed")
    rows = np.column_stack([given, np.ones(len(given))])
    return resampled(rows, groups, lambda sums: sums[:, 0] / sums[:, 1], draws, seed, level)


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
    as in `bootstrap`; each draw's F1 is the mean over the classes that occur in it.
    """
    if gold.shape != predicted.shape or not len(gold) or len(groups) != len(gold):
        raise InputError(
            f"gold classes {gold.shape}, predicted ones {predicted.shape} and {len(groups)} groups; one row "
            "and one group a review are needed"
        )
    first, second = (np.eye(num_classes)[one.reshape(len(one), -1)] for one in (gold, predicted))  # (N, K, C)
    rows = np.stack([first * second, first, second], axis=1)  # (N, 3, K, C): right, gold and predicted

    def mean_f1(sums: np.ndarray) -> np.ndarray:
        right, *both = sums.reshape(-1, *rows.shape[1:]).swapaxes(0, 1)
        said = both[0] + both[1]
        f1 = np.divide(2 * right, said, out=np.zeros_like(said), where=said > 0)
        return (f1.sum(-1) / (said > 0).sum(-1)).mean(-1)

    return resampled(rows.reshape(len(rows), -1), groups, mean_f1, draws, seed, level)


def resampled(
    rows: np.ndarray,
    groups: Sequence[str] | None,
    figure: Callable[[np.ndarray], np.ndarray],
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval:
    """Percentile interval of a figure that follows from sums over reviews.

    ``rows`` (N, W) are what each review adds; ``figure`` makes D values, NaN where there is none, of the sums
    (D, W) of D draws. Whole ``groups`` are drawn, single rows where there are none.
    """
    _check_level(level)
    check_count("draws", draws)
    names = np.arange(len(rows)) if groups is None else np.asarray(groups)
    _, cluster = np.unique(names, return_inverse=True)
    clusters = int(cluster.max()) + 1
    sums = np.zeros((clusters, rows.shape[1]))
    np.add.at(sums, cluster, rows)
    value = float(figure(sums.sum(0)[None])[0])
    low = high = None
    if clusters > 1:
        rng, found = np.random.default_rng(seed), []
        for start in range(0, draws, step := max(1, _CELLS // clusters)):
            # How often each group is drawn, (draws, G): all that sums need to know.
            drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), min(step, draws - start))
            found.append(figure(drawn @ sums))
        low, high = ends(np.concatenate(found), level)
    return Interval(value, low, high, level, len(rows), clusters, "bootstrap")


def ends(found: np.ndarray, level: float = LEVEL) -> tuple[float | None, float | None]:
    """Of the draws that gave a value; none where most did not."""
    known = found[~np.isnan(found)]
    if len(known) < len(found) / 2:
        return None, None
    low, high = np.quantile(known, (0.5 - level / 2, 0.5 + level / 2))
    return float(low), float(high)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise SettingsError(f"a confidence level lies between 0 and 1, got {level!r}")

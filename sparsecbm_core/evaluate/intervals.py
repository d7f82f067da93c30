"""Confidence intervals: how far a figure would move with other reviews of the same kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.common import check_count, check_fits, data_name, groups_of
from sparsecbm_core.models.concept_model import ConceptModel, Predictions

SCHEMA_VERSION = 1
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
    """
    _check_level(level)
    check_count("draws", draws)
    given = np.asarray(values, dtype=np.float64)
    names = np.arange(len(given)) if groups is None else np.asarray(groups)
    if given.ndim != 1 or not len(given) or len(names) != len(given):
        raise InputError(f"values of shape {given.shape} with {len(names)} groups; one group a value needed")
    _, cluster = np.unique(names, return_inverse=True)
    size = np.bincount(cluster)  # (G,)
    total = np.bincount(cluster, weights=given)  # (G,)
    value, clusters = float(given.mean()), len(size)
    if clusters < 2:
        return Interval(value, None, None, level, len(given), clusters, "bootstrap")
    rng, means = np.random.default_rng(seed), []
    for start in range(0, draws, step := max(1, _CELLS // clusters)):
        # How often each group is drawn, (draws, G): all that a mean needs to know.
        drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), min(step, draws - start))
        means.append((drawn @ total) / (drawn @ size))
    low, high = np.quantile(np.concatenate(means), (0.5 - level / 2, 0.5 + level / 2))
    return Interval(value, float(low), float(high), level, len(given), clusters, "bootstrap")


@dataclass(frozen=True)
class AccuracyIntervals:
    """Accuracies as fractions with their intervals; ``concept`` is the mean over concepts."""

    data: Mapping[str, str]
    model: str
    settings: Mapping[str, Any]
    label: Interval
    concept: Interval | None
    per_concept: Mapping[str, Interval] | None
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def accuracy_intervals(
    model: ConceptModel,
    data: ReviewDataset,
    predictions: Predictions | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> AccuracyIntervals:
    """Accuracies of label and concepts, each with its interval.

    Where the data has groups, by the cluster bootstrap; else single shares by `wilson` and the mean
    over concepts by the bootstrap over reviews. ``predictions`` are the model's on this data, if they
    have been made. Raises `DataError` for data that is empty or for another model.
    """
    check_fits(model, data)
    made = model.predict(data.texts) if predictions is None else predictions
    grouped = any(example.group is not None for example in data)
    groups = groups_of(data)

    def share(right: np.ndarray) -> Interval:
        if grouped:
            return bootstrap(right, groups, draws, seed, level)
        return wilson(int(right.sum()), len(right), level)

    concept: Interval | None = None
    per_concept: dict[str, Interval] | None = None
    if made.concept_logits is not None:
        right = made.states.numpy() == gold_states(data)  # (N, K)
        concept = bootstrap(right.mean(1), groups, draws, seed, level)
        per_concept = {name: share(right[:, k]) for k, name in enumerate(model.space.concepts)}
    return AccuracyIntervals(
        data=data_name(data),
        model=model.fingerprint,
        settings={"draws": draws, "seed": seed, "level": level, "grouped": grouped},
        label=share(made.labels.numpy() == gold_labels(data)),
        concept=concept,
        per_concept=per_concept,
    )


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise SettingsError(f"a confidence level lies between 0 and 1, got {level!r}")

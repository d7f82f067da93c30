"""Whether the bottleneck says what a concept does to the label: CEBaB's error over counterfactual pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import Any

import numpy as np
import torch

from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.evaluate.common import check_fits, data_name, groups_of
from sparsecbm_core.evaluate.concept_values import ONE_HOT, TYPICAL, label_logits, value_tables
from sparsecbm_core.evaluate.intervals import Interval, bootstrap
from sparsecbm_core.models.concept_model import ConceptModel, Predictions
from sparsecbm_core.progress import OnCount, unheard

SCHEMA_VERSION = 1
PAIRS = ("all", "original")
OWN_PATH, ZERO, RANDOM_STATE = "own_path", "zero", "random_state"
_NOTHING = 1e-12  # a shorter effect has no direction


@dataclass(frozen=True)
class CounterfactualPair:
    """Two texts of one review that differ in ``concept``: positions in the data, and gold states."""

    base: int
    counterfactual: int
    concept: int
    before: int
    after: int


@dataclass(frozen=True)
class EffectError:
    """Mean distances of the estimated from the true effects, over ``pairs``; see `distances`."""

    pairs: int
    l2: float
    cosine: float
    norm_difference: float


@dataclass(frozen=True)
class EstimatorErrors:
    """One estimator's errors: over all pairs, by concept, and by "concept: before → after".

    ``l2_interval`` is the overall L2 error with its interval, whole groups resampled.
    """

    overall: EffectError
    l2_interval: Interval
    per_concept: Mapping[str, EffectError]
    per_direction: Mapping[str, EffectError]


@dataclass(frozen=True)
class CausalEffects:
    """ICaCE-Error of every estimator. "zero" (nothing changes) and "random_state" are controls.

    The L2 error of "zero" is the mean size of the true effect, so an estimator is worth something where
    it stays below. "own_path" is no estimator, for it has seen the edited text: its error is the part of
    the effect that does not pass through the edited concept.
    """

    data: Mapping[str, str]
    reference: Mapping[str, str] | None
    model: str
    settings: Mapping[str, Any]
    pairs: int
    estimators: Mapping[str, EstimatorErrors]
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def counterfactual_pairs(data: ReviewDataset, kind: str = "all") -> list[CounterfactualPair]:
    """Ordered pairs of one group with different gold states of the edited concept.

    ``kind`` "all" takes what CEBaB does: an original and one of its edits, either way round, and two edits
    of the same concept. "original" takes the first two only. Edits that did not change the gold state are
    left out. That the other concepts stay as they are is the editor's word: annotators may disagree.
    """
    if kind not in PAIRS:
        raise InputError(one_of(kind, PAIRS, "kind of pairs"))
    groups: dict[str, list[int]] = defaultdict(list)
    for position, example in enumerate(data):
        if example.group is not None:
            groups[example.group].append(position)
    pairs = []
    for members in groups.values():
        for base, other in permutations(members, 2):
            name = _edited(data.examples[base], data.examples[other], kind)
            if name is None:
                continue
            k = data.space.concept_index(name)
            before, after = data.examples[base].concepts[k], data.examples[other].concepts[k]
            if before != after:
                pairs.append(CounterfactualPair(base, other, k, before, after))
    return pairs


def _edited(base: Example, other: Example, kind: str) -> str | None:
    """The concept in which two texts of a group differ by an editor's hand, if there is just one."""
    first, second = base.edit_concept, other.edit_concept
    if first is None or second is None:
        return second if first is None else first
    return first if kind == "all" and first == second else None


def distances(true: np.ndarray, estimated: np.ndarray) -> np.ndarray:
    """L2, cosine distance and difference of norms (P, 3) of effects (P, Y) (Abraham et al., 2022, Sec. 2).

    As in CEBaB, the cosine distance is 1 where one of the two is zero and has no direction.
    """
    sizes = np.linalg.norm(true, axis=1), np.linalg.norm(estimated, axis=1)
    product = sizes[0] * sizes[1]
    defined = (sizes[0] > _NOTHING) & (sizes[1] > _NOTHING)
    cosine = np.where(defined, (true * estimated).sum(1) / np.where(defined, product, 1.0), 0.0)
    gap = np.linalg.norm(true - estimated, axis=1)
    return np.stack([gap, 1 - cosine, np.abs(sizes[0] - sizes[1])], axis=1)


def causal_effects(
    model: ConceptModel,
    data: ReviewDataset,
    reference: ReviewDataset | None = None,
    kind: str = "all",
    seed: int = 0,
    predictions: Predictions | None = None,
    reference_predictions: Predictions | None = None,
    on_progress: OnCount = unheard,
) -> CausalEffects:
    """ICaCE-Error (Abraham et al., 2022): how far the oracle's effect is from that of really editing a text.

    True effect of a pair: f(x′) − f(x), f the label probabilities (Y,). Estimate: f with the edited
    concept's activations set to the state it has in x′, the others left as they are in x, minus f(x).
    They are set "one_hot", as the oracle does, and to "typical" values where ``reference`` reviews are
    given (see `concept_values`). Control "random_state": a state drawn at random (seeded) is set, typical
    values where there are any. "own_path": the activations that the edited concept really has in x′ are set.
    CEBaB's code rounds true effects to four decimals; these are exact.

    Raises `DataError` for data of another model, `InputError` where there are no pairs or no concepts.
    """
    check_fits(model, data)
    pairs = counterfactual_pairs(data, kind)
    if not pairs:
        raise InputError(f"{data.name} {data.split} has no counterfactual pairs: edits of one group")
    made = model.predict(data.texts, on_progress=on_progress) if predictions is None else predictions
    if made.activations is None:
        raise InputError("a standard classifier has no concepts to set")
    tables = value_tables(model, reference, reference_predictions)
    base = torch.tensor([pair.base for pair in pairs])
    other = torch.tensor([pair.counterfactual for pair in pairs])
    concepts = torch.tensor([pair.concept for pair in pairs])
    after = torch.tensor([pair.after for pair in pairs])
    activations = made.activations.double()
    probabilities = label_logits(model, activations).softmax(-1)  # (N, Y)
    true = probabilities[other] - probabilities[base]  # (P, Y)

    def estimate(values: torch.Tensor) -> torch.Tensor:
        """With the edited concept's activations (P, C) set."""
        changed = activations[base].clone()  # (P, K, C)
        changed[torch.arange(len(pairs)), concepts] = values
        return label_logits(model, changed).softmax(-1) - probabilities[base]

    drawn = torch.as_tensor(np.random.default_rng(seed).integers(model.space.num_states, size=len(pairs)))
    estimates = {name: estimate(values[concepts, after]) for name, values in tables.items()}
    estimates[OWN_PATH] = estimate(activations[other, concepts])
    estimates[ZERO] = torch.zeros_like(true)
    estimates[RANDOM_STATE] = estimate(tables.get(TYPICAL, tables[ONE_HOT])[concepts, drawn])
    names = groups_of(data)
    groups = [names[pair.base] for pair in pairs]
    return CausalEffects(
        data=data_name(data),
        reference=None if reference is None else data_name(reference),
        model=model.fingerprint,
        settings={"pairs": kind, "seed": seed},
        pairs=len(pairs),
        estimators={
            name: _errors(model, pairs, distances(true.numpy(), guess.numpy()), groups, seed)
            for name, guess in estimates.items()
        },
    )


def _errors(
    model: ConceptModel,
    pairs: Sequence[CounterfactualPair],
    errors: np.ndarray,
    groups: Sequence[str],
    seed: int,
) -> EstimatorErrors:
    space = model.space
    concepts: dict[str, list[int]] = {name: [] for name in space.concepts}
    directions: dict[str, list[int]] = defaultdict(list)
    for row, pair in enumerate(pairs):
        name = space.concepts[pair.concept]
        concepts[name].append(row)
        directions[f"{name}: {space.states[pair.before]} → {space.states[pair.after]}"].append(row)
    return EstimatorErrors(
        overall=_mean(errors),
        l2_interval=bootstrap(errors[:, 0], groups, seed=seed),
        per_concept={name: _mean(errors[rows]) for name, rows in concepts.items() if rows},
        per_direction={name: _mean(errors[rows]) for name, rows in sorted(directions.items())},
    )


def _mean(errors: np.ndarray) -> EffectError:
    return EffectError(len(errors), *(float(value) for value in errors.mean(0)))

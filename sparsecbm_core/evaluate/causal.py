"""Whether the bottleneck says what a concept does to the label: CEBaB's error over counterfactual pairs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass
from itertools import permutations

import numpy as np
import torch

from sparsecbm_core.data.types import ReviewDataset, edited_concept
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.common import check_fits, groups_of
from sparsecbm_core.evaluate.concept_values import ONE_HOT, TYPICAL, label_logits, value_tables
from sparsecbm_core.evaluate.intervals import bootstrap
from sparsecbm_core.evaluate.trust.results import EffectError, Effects, Estimate
from sparsecbm_core.models.concept_model import ConceptModel, Predictions

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


def counterfactual_pairs(data: ReviewDataset) -> list[CounterfactualPair]:
    """Ordered pairs of one group with different gold states of the edited concept.

    As CEBaB takes them: an original and one of its edits, either way round, and two edits of the same
    concept. Edits that did not change the gold state are left out. That the other concepts stay as they are
    is the editor's word: annotators may disagree.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for position, example in enumerate(data):
        if example.group is not None:
            groups[example.group].append(position)
    pairs = []
    for members in groups.values():
        for base, other in permutations(members, 2):
            first, second = data.examples[base], data.examples[other]
            edited = edited_concept(first, second)
            if edited is None:
                continue
            k = data.space.concept_index(edited)
            before, after = first.concepts[k], second.concepts[k]
            if before != after:
                pairs.append(CounterfactualPair(base, other, k, before, after))
    return pairs


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
    seed: int = 0,
    predictions: Predictions | None = None,
    reference_predictions: Predictions | None = None,
) -> Effects:
    """ICaCE-Error (Abraham et al., 2022): how far the oracle's effect is from that of really editing a text.

    True effect of a pair: f(x′) − f(x), f the label probabilities (Y,). Estimate: f with the edited
    concept's activations set to the state it has in x′, the others left as they are in x, minus f(x).
    They are set "one_hot", as the oracle does, and to "typical" values where ``reference`` reviews are
    given (see `concept_values`). CEBaB's code rounds true effects to four decimals; these are exact.

    Controls: "zero", nothing changes: its L2 error is the mean size of the true effect, so an estimator is
    worth something where it stays below. "random_state": a state drawn at random (seeded) is set, typical
    values where there are any. "own_path": the activations that the edited concept really has in x′ are set;
    no estimator, for it has seen the edited text: its error is the part of the effect that does not pass
    through the edited concept. Intervals resample whole groups.

    Raises `DataError` for data of another model, `InputError` where there are no pairs or no concepts.
    """
    check_fits(model, data)
    pairs = counterfactual_pairs(data)
    if not pairs:
        raise InputError(f"{data.name} {data.split} has no counterfactual pairs: edits of one group")
    made = model.predict(data.texts) if predictions is None else predictions
    if made.activations is None or made.readings is None:
        raise InputError("a standard classifier has no concepts to set")
    tables = value_tables(model, made.readings, reference, reference_predictions)
    base, other, concepts, _, after = torch.tensor([astuple(pair) for pair in pairs]).T
    activations = made.activations.double()
    probabilities = label_logits(model, activations).softmax(-1)  # (N, Y)
    true = probabilities[other] - probabilities[base]  # (P, Y)

    def estimate(values: torch.Tensor) -> torch.Tensor:
        """With the edited concept's activations (n, A) set, one row a pair."""
        changed = activations[base].clone()  # (n, P, A)
        changed[torch.arange(len(pairs)), concepts] = values
        return label_logits(model, changed).softmax(-1) - probabilities[base]

    drawn = torch.as_tensor(np.random.default_rng(seed).integers(model.space.num_states, size=len(pairs)))
    estimates = {name: estimate(values[base, concepts, after]) for name, values in tables.items()}
    estimates[OWN_PATH] = estimate(activations[other, concepts])
    estimates[ZERO] = torch.zeros_like(true)
    estimates[RANDOM_STATE] = estimate(tables.get(TYPICAL, tables[ONE_HOT])[base, concepts, drawn])
    names = groups_of(data)
    groups = [names[pair.base] for pair in pairs]

    def error(guess: torch.Tensor) -> EffectError:
        found = distances(true.numpy(), guess.numpy())
        _, cosine, norm_difference = found.mean(0).tolist()
        return EffectError(Estimate.of(bootstrap(found[:, 0], groups, seed=seed)), cosine, norm_difference)

    return Effects(len(pairs), {name: error(guess) for name, guess in estimates.items()})

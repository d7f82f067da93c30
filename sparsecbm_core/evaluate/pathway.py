"""How far the last step of the pathway, concept → label, is true: what carries the label, what follows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.causal import OWN_PATH, causal_effects, counterfactual_pairs
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.common import check_fits, groups_of
from sparsecbm_core.evaluate.concept_values import ONE_HOT, labels_with
from sparsecbm_core.explain.concepts import label_parts
from sparsecbm_core.explain.expected import shapley_values
from sparsecbm_core.models.concept_model import ConceptModel, Predictions

MOVES = (
    0.05  # of the scale's length: 0.2 of five stars. A corrected concept should move the answer by as much
)
FOLDS, LEAST_GROUPS = 5, 30


@dataclass(frozen=True)
class Edits:
    """What single-concept edits of a text move, in the labels' own units.

    ``own`` is the mean change of the edited concept's contribution, ``others`` that of the other concepts
    together, ``rest`` that of the rest; ``locality`` = own / (own + others), where 1 / K is chance.
    """

    count: int
    own: float
    others: float
    rest: float
    locality: float
    chance: float


@dataclass(frozen=True)
class Corrected:
    """Concepts that are read wrong, each set right by itself: how the answer moves.

    Shares of ``count``: ``along`` with the corrected state (up where it is better than the one read),
    ``against`` it, and ``clearly``, along by a twentieth of the scale or more.
    """

    count: int
    along: float
    against: float
    clearly: float


@dataclass(frozen=True)
class Pathway:
    """Figures about concept → label, as fractions; None where the data has nothing to measure them on.

    Contributions are exact Shapley values of the expected label (`explain.expected`). ``unmentioned_share``
    and ``rest_share`` are parts of the sum of their sizes; ``sign_agreement`` is the share of what mentioned
    concepts contribute whose sign is that of their state. ``label_accuracy``: "as_read", "wrong_set_right"
    (every wrong concept at its gold state), "all_gold", "concepts_only" (without the rest), and on the
    reviews that had a wrong concept "wrong_as_read" and "wrong_set_right_there". ``icace`` is CEBaB's
    ICaCE-Error, L2: "one_hot" and "own_path". ``leak``: how often a logistic regression reads the label
    off a concept's activations in texts that do not mention it, with the share of the most frequent label.
    """

    unmentioned_share: float
    sign_agreement: float | None
    rest_share: float
    locality: float | None
    own_effect: float | None
    edits: Edits | None
    label_accuracy: Mapping[str, float | None]
    corrected: Corrected | None
    icace: Mapping[str, float] | None
    leak: Mapping[str, Mapping[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def measure_pathway(
    model: ConceptModel, data: ReviewDataset, predictions: Predictions | None = None
) -> Pathway | None:
    """All figures of one model and one split; None where labels have no order, or the model no concepts.

    Raises `DataError` for data of another model.
    """
    check_fits(model, data)
    values = model.space.label_values
    made = model.predict(data.texts) if predictions is None else predictions
    if values is None or made.activations is None or made.readings is None:
        return None
    shares = contributions_of(model, made.activations).numpy()  # (N, P)
    count = model.space.num_concepts
    states, sizes = made.states.numpy(), np.abs(shares)
    total = max(float(sizes.sum()), 1e-12)
    silent = states == (model.space.states.index(UNKNOWN) if UNKNOWN in model.space.states else -1)
    edits = _edits(data, shares, count)
    return Pathway(
        unmentioned_share=float(sizes[:, :count][silent].sum()) / total,
        sign_agreement=_sign_agreement(model, states, shares[:, :count]),
        rest_share=float(sizes[:, count:].sum()) / total,
        locality=None if edits is None else edits.locality,
        own_effect=None if edits is None else edits.own,
        edits=edits,
        label_accuracy=_label_accuracy(model, data, made),
        corrected=_corrected(model, data, made.readings, states),
        icace=_icace(model, data, made),
        leak=_leak(model, data, made.activations[:, :count].numpy(), silent),
    )


def contributions_of(model: ConceptModel, activations: torch.Tensor) -> torch.Tensor:
    """Shapley values (N, P) of the expected label, from activations (N, P, A); see `explain.expected`."""
    values = model.space.label_values
    if values is None:
        raise InputError("labels without an order have no expected value")
    parts = label_parts(model.cbm, activations)
    return shapley_values(parts.relative, parts.base, torch.tensor(values))[0]


def _sign_agreement(model: ConceptModel, states: np.ndarray, shares: np.ndarray) -> float | None:
    signs = np.array(model.space.signs)[states]  # (N, K)
    known = (signs != 0) & (shares != 0)
    return float((np.sign(shares[known]) == signs[known]).mean()) if known.any() else None


def _edits(data: ReviewDataset, shares: np.ndarray, concepts: int) -> Edits | None:
    """Over pairs of an original and an edit that differ in the gold state of one concept and no other."""
    moved = []
    for pair in counterfactual_pairs(data):
        first, second = data.examples[pair.base], data.examples[pair.counterfactual]
        original = first.edit_concept is None or second.edit_concept is None
        differ = [k for k in range(concepts) if first.concepts[k] != second.concepts[k]]
        if pair.base < pair.counterfactual and original and differ == [pair.concept]:
            change = np.abs(shares[pair.base] - shares[pair.counterfactual])
            named = float(change[:concepts].sum())
            moved.append((change[pair.concept], named - change[pair.concept], change[concepts:].sum()))
    if not moved:
        return None
    own, others, rest = np.mean(moved, axis=0).tolist()
    return Edits(len(moved), own, others, rest, own / max(own + others, 1e-12), 1 / concepts)


def _label_accuracy(model: ConceptModel, data: ReviewDataset, made: Predictions) -> dict[str, float | None]:
    labels, gold = gold_labels(data), torch.as_tensor(gold_states(data))
    wrong = made.states != gold
    if made.readings is None or made.activations is None:
        raise InputError("a standard classifier has no concepts to set")
    alone = made.activations.clone()
    alone[:, gold.shape[1] :] = 0.0
    with torch.inference_mode():
        without_rest = model.cbm.label_logits(alone.to(model.device)).argmax(-1).cpu()
    right = {
        "as_read": made.labels.numpy() == labels,
        "wrong_set_right": labels_with(model, made.readings, gold, wrong).numpy() == labels,
        "all_gold": labels_with(model, made.readings, gold, torch.ones_like(wrong)).numpy() == labels,
        "concepts_only": without_rest.numpy() == labels,
    }
    there = wrong.any(1).numpy()
    return {
        **{name: float(found.mean()) for name, found in right.items()},
        "wrong_as_read": float(right["as_read"][there].mean()) if there.any() else None,
        "wrong_set_right_there": float(right["wrong_set_right"][there].mean()) if there.any() else None,
    }


def _corrected(
    model: ConceptModel, data: ReviewDataset, readings: torch.Tensor, states: np.ndarray
) -> Corrected | None:
    gold, signs = gold_states(data), np.array(model.space.signs)
    scale = torch.tensor(model.space.label_values, dtype=torch.float64)
    before = model.predictions(readings).label_logits.double().softmax(-1) @ scale
    moves = []
    for k in range(gold.shape[1]):
        direction = signs[gold[:, k]] - signs[states[:, k]]
        rows = torch.as_tensor(direction != 0).nonzero().flatten()
        if len(rows):
            said = model.cbm.stated(readings[rows], k, torch.as_tensor(gold[rows, k]))
            after = model.predictions(said).label_logits.double().softmax(-1) @ scale
            moves += ((after - before[rows]).numpy() * np.sign(direction[rows])).tolist()
    if not moves:
        return None
    found, length = np.array(moves), float(scale.max() - scale.min())
    still = 1e-6 * length
    return Corrected(
        len(found),
        along=float((found > still).mean()),
        against=float((found < -still).mean()),
        clearly=float((found >= MOVES * length - still).mean()),
    )


def _icace(model: ConceptModel, data: ReviewDataset, made: Predictions) -> dict[str, float] | None:
    if not counterfactual_pairs(data):
        return None
    found = causal_effects(model, data, predictions=made).estimators
    return {name: found[name].l2.value for name in (ONE_HOT, OWN_PATH)}


def _leak(
    model: ConceptModel, data: ReviewDataset, activations: np.ndarray, silent: np.ndarray
) -> dict[str, dict[str, float]]:
    """By `FOLDS`-fold cross-validation over whole groups, for each concept with enough silent texts."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels, groups, found = gold_labels(data), np.array(groups_of(data)), {}
    for k, concept in enumerate(model.space.concepts):
        rows = silent[:, k]
        if len(set(groups[rows])) < LEAST_GROUPS or len(set(labels[rows])) < 2:
            continue
        regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        scores = cross_val_score(
            regression, activations[rows, k], labels[rows], groups=groups[rows], cv=GroupKFold(FOLDS)
        )
        most = np.bincount(labels[rows]).max() / rows.sum()
        found[concept] = {
            "read": float(scores.mean()),
            "most_frequent": float(most),
            "reviews": int(rows.sum()),
        }
    return found

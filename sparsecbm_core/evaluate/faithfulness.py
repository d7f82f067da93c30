"""Whether the words that a token method puts first are the ones the concept is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.data.batches import without_surrogates
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import DataError, InputError
from sparsecbm_core.evaluate.common import check_fits, data_name, groups_of, sample
from sparsecbm_core.evaluate.erasure import (
    COMPREHENSIVENESS,
    LEAD,
    PROBABILITY,
    SHARES,
    SUFFICIENCY,
    erasure_drops,
)
from sparsecbm_core.evaluate.intervals import Interval, bootstrap
from sparsecbm_core.explain.explainer import score_tokens
from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, DEFAULT_STEPS, METHODS, token_method
from sparsecbm_core.explain.words import words_of
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.subnetworks import EffectiveWeights
from sparsecbm_core.progress import OnCount, unheard

SCHEMA_VERSION = 1
REVIEWS = 200


@dataclass(frozen=True)
class Erasure:
    """Means over ``pairs`` of a review and a concept, of the probability of its predicted state.

    ``comprehensiveness`` (high is good) is what the state loses without the first words,
    ``sufficiency`` (low is good) what it loses with only them, both averaged over the shares;
    the curves have one value a share. ``…_lead`` are the same in the state's lead over the other ones.
    """

    pairs: int
    comprehensiveness: float
    sufficiency: float
    comprehensiveness_lead: float
    sufficiency_lead: float
    comprehensiveness_curve: tuple[float, ...]
    sufficiency_curve: tuple[float, ...]


@dataclass(frozen=True)
class Faithfulness:
    """One ranking of words: over concepts that the review mentions (its predicted state is not
    "unknown"), over all, and by concept where mentioned. None where there is no such pair."""

    mentioned: Erasure | None
    everything: Erasure | None
    per_concept: Mapping[str, Erasure | None]


@dataclass(frozen=True)
class Margin:
    """A method minus a control, pair by pair where mentioned: above 0 in comprehensiveness and below 0
    in sufficiency is better than the control. Intervals resample whole groups of reviews."""

    comprehensiveness: Interval
    sufficiency: Interval


@dataclass(frozen=True)
class TokenFaithfulness:
    """Every token method beside its controls.

    ``random`` ranks words by chance. ``mask_swap`` ranks the words of concept k, by the same method, as
    another concept's subnetwork sees them (None for a dense model); they are erased before subnetwork k
    all the same. ``margins`` is method → control → margin, empty where nothing is mentioned. ``reviews``
    were read, ``skipped`` had no word the tokenizer knows.
    """

    data: Mapping[str, str]
    model: str
    settings: Mapping[str, Any]
    shares: tuple[float, ...]
    reviews: int
    skipped: int
    methods: Mapping[str, Faithfulness]
    random: Faithfulness
    mask_swap: Mapping[str, Faithfulness] | None
    margins: Mapping[str, Mapping[str, Margin]]
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def token_faithfulness(
    model: ConceptModel,
    data: ReviewDataset,
    methods: Sequence[str] = (DEFAULT_METHOD,),
    reviews: int | None = REVIEWS,
    seed: int = 0,
    steps: int = DEFAULT_STEPS,
    shares: Sequence[float] = SHARES,
    on_progress: OnCount = unheard,
) -> TokenFaithfulness:
    """Comprehensiveness and sufficiency of token ``methods`` (DeYoung et al., 2020, ERASER).

    For a seeded draw of ``reviews`` (None: all). Words are ranked by descending score for the predicted
    state and deleted from the text (see `erasure.erasure_drops`). The mask swap takes, review by review,
    another of the K − 1 other subnetworks. The random order and the swap are drawn per review from
    ``seed``, so they are the same whichever methods are measured.

    Raises `InputError` for an unknown method, none at all or a share outside (0, 1], `DataError` for data
    that has no readable text or is for another model.
    """
    _check(model, data, methods, shares)
    chosen = sample(data, reviews, seed)
    swaps = _swapped(model)
    names = [*methods, *(_swap_name(method) for method in methods if swaps), "random"]
    rows, mentioned, groups = [], [], []
    for position, (example, group) in enumerate(zip(chosen, groups_of(chosen), strict=True)):
        rng = np.random.default_rng([seed, position])
        found = _review(model, example.text, methods, swaps, rng, steps, shares)
        if found is not None:
            rows.append(found[0])
            mentioned.append(found[1])
            groups.append(group)
        on_progress(position + 1, len(chosen))
    if not rows:
        raise DataError(f"{data.name} {data.split} has no text with a word that the model's tokenizer knows")
    drops = np.stack(rows)  # (N, R, K, 2, S, 2)
    told = np.stack(mentioned)  # (N, K)
    by_name = {name: drops[:, row] for row, name in enumerate(names)}
    faithfulness = {name: _means(model, values, told) for name, values in by_name.items()}
    return TokenFaithfulness(
        data=data_name(data),
        model=model.fingerprint,
        settings={
            "methods": list(methods),
            "reviews": len(chosen),
            "seed": seed,
            "steps": steps,
            "erasure": "deleted",
        },
        shares=tuple(shares),
        reviews=len(rows),
        skipped=len(chosen) - len(rows),
        methods={name: faithfulness[name] for name in methods},
        random=faithfulness["random"],
        mask_swap={name: faithfulness[_swap_name(name)] for name in methods} if swaps else None,
        margins=_margins(methods, by_name, told, groups, seed),
    )


def _check(model: ConceptModel, data: ReviewDataset, methods: Sequence[str], shares: Sequence[float]) -> None:
    if not methods or isinstance(methods, str):
        raise InputError(f"methods must be a list of at least one of {', '.join(METHODS)}; got {methods!r}")
    for method in methods:
        token_method(method)
    if not shares or not all(0 < share <= 1 for share in shares):
        raise InputError(f"shares of the words must lie above 0 and not above 1, got {list(shares)}")
    check_fits(model, data)


def _swap_name(method: str) -> str:
    return f"{method}, other subnetwork"


def _swapped(model: ConceptModel) -> list[EffectiveWeights]:
    """K − 1 sets of weights: in each, concept k is read through the subnetwork of k + 1, k + 2, …"""
    weights, count = model.weights, model.space.num_concepts
    if weights is None:
        return []
    orders = ([(k + shift) % count for k in range(count)] for shift in range(1, count))
    return [weights.reordered(order) for order in orders]


def _review(
    model: ConceptModel,
    text: str,
    methods: Sequence[str],
    swaps: Sequence[EffectiveWeights],
    rng: np.random.Generator,
    steps: int,
    shares: Sequence[float],
) -> tuple[np.ndarray, np.ndarray] | None:
    """Drops (R, K, 2, S, 2) of one review, and which concepts it mentions (K,); None without a word."""
    text, space, network = without_surrogates(text), model.space, model.cbm
    encoded = model.encode([text])[0]
    words = words_of(text, encoded)
    if not words:
        return None
    random_order = rng.permuted(np.tile(np.arange(len(words)), (space.num_concepts, 1)), axis=1)
    swap = swaps[int(rng.integers(len(swaps)))] if swaps else None
    ids = torch.tensor([encoded.ids], device=model.device)
    with torch.inference_mode():
        states = network(ids, torch.ones_like(ids), model.weights).concept_logits[0].argmax(-1).cpu()
    named = {name: space.states[int(state)] for name, state in zip(space.concepts, states, strict=True)}

    def order(method: str, weights: EffectiveWeights | None) -> np.ndarray:
        scored = score_tokens(model, text, method, weights=weights, states=named, steps=steps)
        scores = np.array([[token.score for token in scored[name][0]] for name in space.concepts])  # (K, G)
        return np.argsort(-scores, axis=1, kind="stable")

    rankings = [order(method, None) for method in methods]
    if swap is not None:
        rankings += [order(method, swap) for method in methods]
    rankings.append(random_order)
    drops = erasure_drops(
        network,
        model.weights,
        encoded.ids,
        [word.tokens for word in words],
        np.stack(rankings),
        states,
        int(model.tokenizer.pad_token_id),
        shares,
    )
    return drops, np.array([state != UNKNOWN for state in named.values()])


def _means(model: ConceptModel, drops: np.ndarray, told: np.ndarray) -> Faithfulness:
    """From drops (N, K, 2, S, 2) of one ranking and what is mentioned (N, K)."""
    return Faithfulness(
        mentioned=_erasure(drops[told]),
        everything=_erasure(drops.reshape(-1, *drops.shape[2:])),
        per_concept={name: _erasure(drops[told[:, k], k]) for k, name in enumerate(model.space.concepts)},
    )


def _erasure(drops: np.ndarray) -> Erasure | None:
    """Means over P pairs, (P, 2, S, 2)."""
    if not len(drops):
        return None
    curves = drops.mean(0)  # (2, S, 2)
    means = curves.mean(1)  # (2, 2)
    return Erasure(
        pairs=len(drops),
        comprehensiveness=float(means[COMPREHENSIVENESS, PROBABILITY]),
        sufficiency=float(means[SUFFICIENCY, PROBABILITY]),
        comprehensiveness_lead=float(means[COMPREHENSIVENESS, LEAD]),
        sufficiency_lead=float(means[SUFFICIENCY, LEAD]),
        comprehensiveness_curve=tuple(curves[COMPREHENSIVENESS, :, PROBABILITY].tolist()),
        sufficiency_curve=tuple(curves[SUFFICIENCY, :, PROBABILITY].tolist()),
    )


def _margins(
    methods: Sequence[str],
    by_name: Mapping[str, np.ndarray],
    told: np.ndarray,
    groups: Sequence[str],
    seed: int,
) -> dict[str, dict[str, Margin]]:
    if not told.any():
        return {}
    pairs: list[str] = np.repeat(groups, told.sum(1)).tolist()  # a review's pairs belong together
    means = {name: values[..., PROBABILITY].mean(-1)[told] for name, values in by_name.items()}  # (P, 2)
    margins: dict[str, dict[str, Margin]] = {}
    for method in methods:
        controls = {"random": "random", "mask_swap": _swap_name(method)}
        margins[method] = {}
        for control, name in controls.items():
            if name in means:
                gap = means[method] - means[name]
                margins[method][control] = Margin(
                    bootstrap(gap[:, COMPREHENSIVENESS], pairs, seed=seed),
                    bootstrap(gap[:, SUFFICIENCY], pairs, seed=seed),
                )
    return margins

"""Whether the words that a token method puts first are the ones the concept is read from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.data.batches import without_surrogates
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import DataError, InputError
from sparsecbm_core.evaluate.common import check_fits, groups_of, sample
from sparsecbm_core.evaluate.erasure import COMPREHENSIVENESS, SHARES, SUFFICIENCY, erasure_drops
from sparsecbm_core.evaluate.intervals import bootstrap
from sparsecbm_core.evaluate.trust.results import Estimate, Margin, Ranking, WordScores
from sparsecbm_core.explain.explainer import score_tokens
from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, DEFAULT_STEPS, token_method
from sparsecbm_core.explain.words import words_of
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.subnetworks import EffectiveWeights
from sparsecbm_core.progress import OnCount, unheard

REVIEWS = 200
OWN, RANDOM, MASK_SWAP = "own", "random", "mask_swap"


def token_faithfulness(
    model: ConceptModel,
    data: ReviewDataset,
    method: str = DEFAULT_METHOD,
    reviews: int | None = REVIEWS,
    seed: int = 0,
    steps: int = DEFAULT_STEPS,
    shares: Sequence[float] = SHARES,
    on_progress: OnCount = unheard,
) -> WordScores:
    """Comprehensiveness and sufficiency of a token method (DeYoung et al., 2020, ERASER), beside controls.

    For a seeded draw of ``reviews`` (None: all), over the concepts that each mentions (its predicted state is
    not "unknown"). Words are ranked by descending score for the predicted state and deleted from the text
    (see `erasure.erasure_drops`). Controls: "random" ranks them by chance; "mask_swap" ranks the words of
    concept k, by the same method, as another concept's subnetwork sees them, and erases them before
    subnetwork k all the same: review by review another of the K − 1, none for a dense model. Both are drawn
    per review from ``seed``, so they are the same whichever method is measured.

    Raises `InputError` for an unknown method or a share outside (0, 1], `DataError` for data that has no
    readable text or is for another model.
    """
    token_method(method)
    if not shares or not all(0 < share <= 1 for share in shares):
        raise InputError(f"shares of the words must lie above 0 and not above 1, got {list(shares)}")
    check_fits(model, data)
    chosen = sample(data, reviews, seed)
    swaps = _swapped(model)
    names = [OWN, *([MASK_SWAP] if swaps else []), RANDOM]
    rows, read, pairs = [], 0, []  # drops of each pair of a review and a concept, and the pair's group
    for position, (example, group) in enumerate(zip(chosen, groups_of(chosen), strict=True)):
        rng = np.random.default_rng([seed, position])
        found = _review(model, example.text, method, swaps, rng, steps, shares)
        if found is not None:
            drops, told = found
            rows.append(drops[:, told])
            pairs += [group] * int(told.sum())
            read += 1
        on_progress(position + 1, len(chosen))
    if not read:
        raise DataError(f"{data.name} {data.split} has no text with a word that the model's tokenizer knows")
    by_name = dict(zip(names, np.concatenate(rows, axis=1), strict=True)) if pairs else {}  # (P, 2, S)
    return WordScores(
        reviews=read,
        skipped=len(chosen) - read,
        pairs=len(pairs),
        shares=tuple(shares),
        rankings={name: _ranking(by_name[name]) for name in (OWN, RANDOM, MASK_SWAP) if name in by_name},
        margins={
            name: _margin(by_name[OWN] - by_name[name], pairs, seed)
            for name in (RANDOM, MASK_SWAP)
            if name in by_name
        },
    )


def _swapped(model: ConceptModel) -> list[EffectiveWeights]:
    """K − 1 sets of weights: in each, concept k is read through the subnetwork of k + 1, k + 2, …"""
    weights, count = model.weights, model.space.num_concepts
    if weights is None:
        return []
    orders = ([(k + shift) % count for k in range(count)] for shift in range(1, count))
    return [weights.first(count).reordered(order) for order in orders]


def _review(
    model: ConceptModel,
    text: str,
    method: str,
    swaps: Sequence[EffectiveWeights],
    rng: np.random.Generator,
    steps: int,
    shares: Sequence[float],
) -> tuple[np.ndarray, np.ndarray] | None:
    """What the probability of each state loses by each of R rankings, (R, K, 2, S), of one review, and which
    concepts it mentions (K,); None without a word."""
    text, space, network = without_surrogates(text), model.space, model.cbm
    encoded = model.encode([text])[0]
    words = words_of(text, encoded)
    if not words:
        return None
    random_order = rng.permuted(np.tile(np.arange(len(words)), (space.num_concepts, 1)), axis=1)
    swap = [swaps[int(rng.integers(len(swaps)))]] if swaps else []
    ids = torch.tensor([encoded.ids], device=model.device)
    with torch.inference_mode():
        states = network(ids, torch.ones_like(ids), model.weights).concept_logits[0].argmax(-1).cpu()
    named = {name: space.states[int(state)] for name, state in zip(space.concepts, states, strict=True)}

    def order(weights: EffectiveWeights | None) -> np.ndarray:
        scored = score_tokens(model, text, method, weights=weights, states=named, steps=steps)
        scores = np.array([[token.score for token in scored[name][0]] for name in space.concepts])  # (K, G)
        return np.argsort(-scores, axis=1, kind="stable")

    drops = erasure_drops(
        network,
        model.weights,
        encoded.ids,
        [word.tokens for word in words],
        np.stack([*map(order, [None, *swap]), random_order]),
        states,
        int(model.tokenizer.pad_token_id),
        shares,
    )
    return drops, np.array([state != UNKNOWN for state in named.values()])


def _ranking(drops: np.ndarray) -> Ranking:
    """Means over P pairs, (P, 2, S)."""
    curves = drops.mean(0)  # (2, S)
    means = curves.mean(1).tolist()
    return Ranking(
        means[COMPREHENSIVENESS],
        means[SUFFICIENCY],
        tuple(curves[COMPREHENSIVENESS].tolist()),
        tuple(curves[SUFFICIENCY].tolist()),
    )


def _margin(gap: np.ndarray, pairs: Sequence[str], seed: int) -> Margin:
    """From differences of pairs, (P, 2, S); whole groups of reviews are resampled."""
    means = gap.mean(-1)  # (P, 2)
    found = [Estimate.of(bootstrap(means[:, kind], pairs, seed=seed)) for kind in range(2)]
    return Margin(found[COMPREHENSIVENESS], found[SUFFICIENCY])

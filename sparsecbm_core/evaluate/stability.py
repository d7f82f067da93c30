"""Whether models that differ only in their seed explain the same reviews alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.common import check_count, check_fits, data_name, sample
from sparsecbm_core.explain.explainer import explain_many
from sparsecbm_core.explain.results import ConceptExplanation, Explanation
from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, DEFAULT_STEPS, token_method
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import OnCount, unheard

SCHEMA_VERSION = 1
REVIEWS, TOP = 100, 5
LEAST_WORDS = 3  # ranks of fewer words say nothing


@dataclass(frozen=True)
class WordAgreement:
    """Word scores of two models for the same state of a concept, means over ``pairs`` of review and concept.

    ``spearman`` in [−1, 1] is 0 by chance. ``overlap`` is the Jaccard index of the two sets of highest
    scored words, ``chance`` what two random sets of that size in those reviews would have.
    """

    pairs: int
    spearman: float
    overlap: float
    chance: float


@dataclass(frozen=True)
class PairStability:
    """Two models, by their places in the list given.

    ``label_agreement`` and ``state_agreement``: share of reviews, and of reviews times concepts, on which
    the two say the same. ``words``: over concepts on which they agree and that are mentioned ("unknown"
    has no words), and ``per_concept``; None where there are none. ``contributions``: mean cosine, over
    reviews, of what every concept adds to every label, relative to the average review and
    ``contributions_plain`` not; the mean over labels, which no prediction depends on, is taken off.
    ``top_concept``: share of reviews in which the same concept speaks most for the label, where the
    models agree on it.
    """

    first: int
    second: int
    label_agreement: float
    state_agreement: float
    words: WordAgreement | None
    per_concept: Mapping[str, WordAgreement | None]
    contributions: float
    contributions_plain: float
    top_concept: float | None


@dataclass(frozen=True)
class Spread:
    """Mean over pairs of models, and standard deviation (n − 1); None for a single pair."""

    mean: float
    std: float | None


@dataclass(frozen=True)
class ExplanationStability:
    """All pairs of the given models, and ``figures``: each figure over the pairs that have it."""

    data: Mapping[str, str]
    models: tuple[str, ...]
    settings: Mapping[str, Any]
    examples: int
    pairs: tuple[PairStability, ...]
    figures: Mapping[str, Spread]
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def explanation_stability(
    models: Sequence[ConceptModel],
    data: ReviewDataset,
    method: str = DEFAULT_METHOD,
    reviews: int | None = REVIEWS,
    seed: int = 0,
    top: int = TOP,
    steps: int = DEFAULT_STEPS,
    on_progress: OnCount = unheard,
) -> ExplanationStability:
    """Explain a seeded draw of ``reviews`` by each of two or more models and compare, pair by pair.

    Words are matched by where they stand in the text, so that models with different tokenizers can be
    compared. Raises `InputError` for fewer than two models, an unknown method or a text that cannot be
    explained, `DataError` for data of another model.
    """
    if len(models) < 2:
        raise InputError(f"stability is about two or more models, got {len(models)}")
    token_method(method)
    check_count("top", top)
    for model in models:
        check_fits(model, data)
    chosen = sample(data, reviews, seed)
    explained: list[list[Explanation]] = []

    def on_explained(done: int, count: int) -> None:
        on_progress(len(explained) * count + done, len(models) * count)

    for model in models:
        explained.append(explain_many(model, chosen.texts, method, steps=steps, on_progress=on_explained))
    pairs = tuple(
        compare_explanations(explained[a], explained[b], data.space, top, a, b)
        for a, b in combinations(range(len(models)), 2)
    )
    return ExplanationStability(
        data=data_name(data),
        models=tuple(model.fingerprint for model in models),
        settings={"method": method, "reviews": len(chosen), "seed": seed, "top": top, "steps": steps},
        examples=len(chosen),
        pairs=pairs,
        figures=_figures(pairs),
    )


def compare_explanations(
    first: Sequence[Explanation],
    second: Sequence[Explanation],
    space: ConceptSpace,
    top: int = TOP,
    first_place: int = 0,
    second_place: int = 1,
) -> PairStability:
    """Two models' explanations of the same N texts, in the same order."""
    both = list(zip(first, second, strict=True))
    if not both:
        raise InputError("no explanations to compare; give at least one of each model")
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in space.concepts}
    states, top_concepts = [], []
    cosines: dict[bool, list[float]] = {True: [], False: []}
    for one, other in both:
        for name in space.concepts:
            a, b = one.concepts[name], other.concepts[name]
            states.append(a.state == b.state)
            row = word_agreement(a, b, top) if a.state == b.state != UNKNOWN else None
            if row is not None:
                rows[name].append(row)
        for relative, found in cosines.items():
            found.append(
                _cosine(_contributions(one, space, relative), _contributions(other, space, relative))
            )
        if one.label == other.label:
            label = space.label_index(one.label)
            speakers = [_contributions(item, space, True)[:, label].argmax() for item in (one, other)]
            top_concepts.append(speakers[0] == speakers[1])
    return PairStability(
        first=first_place,
        second=second_place,
        label_agreement=float(np.mean([one.label == other.label for one, other in both])),
        state_agreement=float(np.mean(states)),
        words=_word_means([row for found in rows.values() for row in found]),
        per_concept={name: _word_means(found) for name, found in rows.items()},
        contributions=float(np.mean(cosines[True])),
        contributions_plain=float(np.mean(cosines[False])),
        top_concept=float(np.mean(top_concepts)) if top_concepts else None,
    )


def word_agreement(
    first: ConceptExplanation, second: ConceptExplanation, top: int = TOP
) -> tuple[float, float, float] | None:
    """Spearman's ρ, top-word Jaccard and its chance level; None for too few words or scores all alike."""
    known = {(token.start, token.end): token.score for token in second.tokens}
    shared = [token for token in first.tokens if (token.start, token.end) in known]
    if len(shared) < LEAST_WORDS:
        return None
    scores = np.array([[token.score, known[token.start, token.end]] for token in shared]).T  # (2, G)
    rho = spearman(*scores)
    if rho is None:
        return None
    size = min(top, len(shared))
    best = [set(np.argsort(-each, kind="stable")[:size].tolist()) for each in scores]
    return rho, len(best[0] & best[1]) / len(best[0] | best[1]), chance_overlap(len(shared), size)


def spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """Rank correlation of two rows (G,), equal values sharing their mean rank; None if a row is constant."""
    ranks = [_ranks(values) for values in (first, second)]
    centred = [values - values.mean() for values in ranks]
    size = math.sqrt(float((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum() / size) if size else None


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = count.cumsum()
    return (last - (count - 1) / 2)[place]


def chance_overlap(words: int, size: int) -> float:
    """Expected Jaccard index of two random sets of ``size`` among ``words``: a hypergeometric mean."""
    total = math.comb(words, size)
    return sum(
        math.comb(size, both) * math.comb(words - size, size - both) / total * both / (2 * size - both)
        for both in range(size + 1)
    )


def _contributions(item: Explanation, space: ConceptSpace, relative: bool) -> np.ndarray:
    """What each concept adds to each label (K, Y), without what it adds to all labels alike."""
    rows = [
        item.concepts[name].relative_contributions if relative else item.concepts[name].contributions
        for name in space.concepts
    ]
    values = np.array([[row[label] for label in space.labels] for row in rows])
    return values - values.mean(1, keepdims=True)


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float((first * second).sum() / size) if size else 0.0


def _word_means(rows: Sequence[tuple[float, float, float]]) -> WordAgreement | None:
    if not rows:
        return None
    return WordAgreement(len(rows), *(float(value) for value in np.mean(rows, axis=0)))


def _figures(pairs: Sequence[PairStability]) -> dict[str, Spread]:
    names = ("label_agreement", "state_agreement", "contributions", "contributions_plain", "top_concept")
    values = {name: [getattr(pair, name) for pair in pairs] for name in names}
    for name in ("spearman", "overlap", "chance"):
        values[name] = [getattr(pair.words, name, None) for pair in pairs]
    figures = {}
    for name, found in values.items():
        known = [value for value in found if value is not None]
        if known:
            std = float(np.std(known, ddof=1)) if len(known) > 1 else None
            figures[name] = Spread(float(np.mean(known)), std)
    return figures

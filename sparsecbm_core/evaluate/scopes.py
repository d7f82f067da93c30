"""What the scope of a correction is worth: its effect on the reviews it finds, and a chain of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.evaluate.closeness import Detection, detection
from sparsecbm_core.evaluate.common import check_fits
from sparsecbm_core.evaluate.interventions import apply_rule
from sparsecbm_core.evaluate.pairs import Pair, Reviews, mispredicted
from sparsecbm_core.intervene.correct import corrected_model
from sparsecbm_core.intervene.guard import concept_logits
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.intervene.profile import GuardProfile, compute_profile
from sparsecbm_core.intervene.results import Intervention
from sparsecbm_core.intervene.scope import EVERYWHERE, SIMILAR, THRESHOLD, Signature
from sparsecbm_core.intervene.scoped import edits_for, groups, predict_scoped
from sparsecbm_core.models.concept_model import ConceptModel, Predictions
from sparsecbm_core.progress import OnWork, unheard

SCHEMA_VERSION = 1
RULE = "guarded"
THRESHOLDS = (0.42, THRESHOLD, 0.6)
# `similar`, and only where the model reads the concept as it read it in the corrected review.
ALIKE = "similar_read_alike"
MODES = (EVERYWHERE, SIMILAR, ALIKE)


@dataclass(frozen=True)
class Tally:
    """One count per correction and further review. ``fires``: the correction holds for it. ``right_before``
    and ``right_after``: its concept is read right; ``fixed`` and ``broken``: what changed between."""

    reviews: int
    fires: int
    right_before: int
    right_after: int
    fixed: int
    broken: int


@dataclass(frozen=True)
class SingleFigures:
    """Corrections one at a time on the pristine model, in one mode.

    Other edits of the corrected review: ``same`` have the corrected gold state, ``differing`` another one
    and another text, ``contradicting`` another one for the very same text. ``unrelated`` are the reviews
    of other originals that are close (None for `everywhere`, where closeness plays no part).
    """

    pairs: int
    same: Tally
    differing: Tally
    contradicting: Tally
    unrelated: Tally | None


@dataclass(frozen=True)
class ScopedChain:
    """``corrections`` for similar reviews, one after another without reset.

    ``patches`` is smaller where an earlier correction had set a later pair right. Accuracies are those of
    the unrelated guard reviews, and of the other edits of corrected reviews (``siblings``, those that are
    corrected themselves left out). ``guard_fires`` counts guard reviews that any patch holds for.
    """

    corrections: int
    patches: int
    still_right: float
    concept_accuracy_start: float
    concept_accuracy: float
    label_accuracy_start: float
    label_accuracy: float
    siblings: int
    sibling_concept_accuracy_start: float
    sibling_concept_accuracy: float
    sibling_label_accuracy_start: float
    sibling_label_accuracy: float
    guard_fires: int


@dataclass(frozen=True)
class ScopeEvaluation:
    """All of it, with what it was measured on."""

    data: Mapping[str, Any]
    model: str
    settings: Mapping[str, Any]
    detection: Sequence[Detection]
    single: Mapping[str, SingleFigures]
    chain: Sequence[ScopedChain]
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def correct_pairs(
    model: ConceptModel,
    pairs: Sequence[Pair],
    profile: GuardProfile | None,
    rule: str = RULE,
    on_progress: OnWork = unheard,
) -> list[Patch]:
    """A patch for similar reviews of each pair, corrected on the pristine model."""
    patches = []
    for number, pair in enumerate(pairs):
        patches.append(_patch(model, pair, apply_rule(model, pair, rule, profile)))
        on_progress(number + 1, len(pairs), f"corrected: {number + 1} of {len(pairs)}")
    return patches


def evaluate_single(
    model: ConceptModel,
    pairs: Sequence[Pair],
    patches: Sequence[Patch],
    data: ReviewDataset,
    on_progress: OnWork = unheard,
) -> dict[str, SingleFigures]:
    """What the patch of each pair (`correct_pairs`) does alone to other edits and close reviews, by mode."""
    counts = {mode: np.zeros((4, 6), np.int64) for mode in MODES}
    signatures = [Signature.of(text) for text in data.texts]
    for number, (pair, patch) in enumerate(zip(pairs, patches, strict=True)):
        own, k, gold_state = patch.signature, pair.k, pair.example.concepts[pair.k]
        near = [own is not None and own.similarity(other) >= THRESHOLD for other in signatures]
        kinds = [
            3 if not _siblings_of(pair, e) else 0 if e.concepts[k] == gold_state else 2 if same else 1
            for e, same in zip(data, (other == own for other in signatures), strict=True)
        ]
        looked = [i for i, e in enumerate(data) if e.id != pair.example.id and (kinds[i] < 3 or near[i])]
        if looked:
            texts = [data.examples[i].text for i in looked]
            before = concept_logits(model, texts, patch.concept).argmax(-1).numpy()
            corrected = corrected_model(model, patch.edit)
            after = concept_logits(corrected, texts, patch.concept).argmax(-1).numpy()
            gold = np.array([data.examples[i].concepts[k] for i in looked])
            close, kind = np.array(near)[looked], np.array(kinds)[looked]
            alike = close & (before == model.space.states.index(patch.state_before))
            for mode, holds in zip(MODES, (np.ones_like(close), close, alike), strict=True):
                now = np.where(holds, after, before)
                for row in range(4):
                    part = kind == row
                    counts[mode][row] += _counts(gold[part], before[part], now[part], holds[part])
        on_progress(number + 1, len(pairs), f"single: {number + 1} of {len(pairs)}")
    tallies = {mode: [Tally(*map(int, row)) for row in rows] for mode, rows in counts.items()}
    return {
        mode: SingleFigures(len(pairs), rows[0], rows[1], rows[2], None if mode == EVERYWHERE else rows[3])
        for mode, rows in tallies.items()
    }


def evaluate_scoped_chain(
    model: ConceptModel,
    pairs: Sequence[Pair],
    patches: Sequence[Patch],
    lengths: Sequence[int],
    reviews: Reviews,
    profile: GuardProfile | None,
    rule: str = RULE,
    on_progress: OnWork = unheard,
) -> list[ScopedChain]:
    """One correction for similar reviews after another; figures after each of ``lengths``.

    ``patches`` are those of `correct_pairs`: they are the chain's own where no earlier one of the same
    concept fires.
    """
    chain: list[Patch] = []
    figures, wanted = [], sorted({n for n in lengths if n <= len(pairs)})
    for number, pair in enumerate(pairs[: max(wanted, default=0)]):
        edit = edits_for(pair.example.text, chain)
        patch = patches[number]
        if patch.concept in edit.concepts:
            done = apply_rule(corrected_model(model, edit), pair, rule, profile)
            patch = _patch(model, pair, done)
        if patch.edit.size:
            chain.append(patch)
        if number + 1 in wanted:
            figures.append(_chain_figures(model, pairs[: number + 1], chain, reviews))
        on_progress(number + 1, wanted[-1], f"in a chain: {number + 1} of {wanted[-1]}")
    return figures


def run_scopes(
    model: ConceptModel,
    data: ReviewDataset,
    limit: int = 200,
    guard: int = 200,
    profile: int = 150,
    lengths: Sequence[int] = (10, 50, 100),
    seed: int = 0,
    on_progress: OnWork = unheard,
) -> ScopeEvaluation:
    """Detection, single corrections and a chain, on the parts that `run_evaluation` uses as well.

    Raises `DataError` for data with other concepts, states or labels than the model.
    """
    check_fits(model, data)
    reviews = Reviews.of(data, profile, guard, seed)
    pairs = mispredicted(model, reviews.pool, limit, seed)
    made = compute_profile(
        model,
        reviews.profile.texts,
        reviews.profile.fingerprint(),
        lambda now, total: on_progress(now, total, "guard profile"),
    )
    patches = correct_pairs(model, pairs, made, RULE, on_progress)
    return ScopeEvaluation(
        data={"name": data.name, "split": data.split, "fingerprint": data.fingerprint()},
        model=model.fingerprint,
        settings={
            "rule": RULE,
            "threshold": THRESHOLD,
            "limit": limit,
            "guard": len(reviews.guard),
            "profile": len(reviews.profile),
            "lengths": list(lengths),
            "seed": seed,
        },
        detection=[detection(data, threshold) for threshold in THRESHOLDS],
        chain=evaluate_scoped_chain(model, pairs, patches, lengths, reviews, made, RULE, on_progress),
        single=evaluate_single(model, pairs, patches, data, on_progress),
    )


def _patch(model: ConceptModel, pair: Pair, done: Intervention) -> Patch:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Patch.of(done, model, created, signature=Signature.of(pair.example.text))


def _siblings_of(pair: Pair, other: Example) -> bool:
    """Whether ``other`` is another edit of the same review."""
    own = pair.example
    return own.group is not None and other.group == own.group and other.id != own.id


def _counts(gold: np.ndarray, before: np.ndarray, after: np.ndarray, fires: np.ndarray) -> list[int]:
    """The values of a `Tally`."""
    was, now = before == gold, after == gold
    return [len(gold), *(int(each.sum()) for each in (fires, was, now, ~was & now, was & ~now))]


def _chain_figures(
    model: ConceptModel, pairs: Sequence[Pair], patches: Sequence[Patch], reviews: Reviews
) -> ScopedChain:
    ids = {pair.example.id for pair in pairs}
    originals = {pair.example.group for pair in pairs} - {None}
    siblings = [other for other in reviews.pool if other.group in originals and other.id not in ids]
    said = predict_scoped(model, [pair.example.text for pair in pairs], patches).states
    right = [int(row[pair.k]) == pair.example.concepts[pair.k] for row, pair in zip(said, pairs, strict=True)]
    guard = list(reviews.guard)
    concept_start, label_start = _accuracies(model.predict(reviews.guard.texts), guard)
    concept, label = _accuracies(predict_scoped(model, reviews.guard.texts, patches), guard)
    sibling_start, sibling_end = (0.0, 0.0), (0.0, 0.0)
    if siblings:
        texts = [example.text for example in siblings]
        sibling_start = _accuracies(model.predict(texts), siblings)
        sibling_end = _accuracies(predict_scoped(model, texts, patches), siblings)
    held = groups(reviews.guard.texts, patches)
    return ScopedChain(
        corrections=len(pairs),
        patches=len(patches),
        still_right=sum(right) / len(right),
        concept_accuracy_start=concept_start,
        concept_accuracy=concept,
        label_accuracy_start=label_start,
        label_accuracy=label,
        siblings=len(siblings),
        sibling_concept_accuracy_start=sibling_start[0],
        sibling_concept_accuracy=sibling_end[0],
        sibling_label_accuracy_start=sibling_start[1],
        sibling_label_accuracy=sibling_end[1],
        guard_fires=sum(len(indices) for edit, indices in held.items() if edit.size),
    )


def _accuracies(said: Predictions, examples: Sequence[Example]) -> tuple[float, float]:
    """Of the concepts and of the label."""
    concepts = torch.tensor([example.concepts for example in examples])
    labels = torch.tensor([example.label for example in examples])
    return float((said.states == concepts).float().mean()), float((said.labels == labels).float().mean())

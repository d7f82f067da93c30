"""Corrections for similar reviews: which reviews they find, what they do to them, and a chain of many.

    python benchmarks/scopes.py --data DIR --output benchmarks/results/scopes.json

Measures the bundled model on CEBaB dev: pairs of edits of one review against all other pairs; single
corrections and their effect on the other edits of the review, those that say the same and those that
differ; and a chain without reset. One thread, a few seconds a correction on a busy core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparsecbm_core.data import load_cebab
from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.common import check_fits, data_name
from sparsecbm_core.evaluate.interventions import apply_rule
from sparsecbm_core.evaluate.pairs import Pair, Reviews, mispredicted
from sparsecbm_core.files import write_json
from sparsecbm_core.intervene.in_force import corrected_model, edits_for, groups, predict_scoped
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.intervene.profile import GuardProfile
from sparsecbm_core.intervene.reading import concept_logits
from sparsecbm_core.intervene.results import Intervention
from sparsecbm_core.intervene.scope import BYTES, EVERYWHERE, SIMILAR, THRESHOLD, Signature
from sparsecbm_core.models.concept_model import ConceptModel, Predictions
from sparsecbm_core.progress import OnWork, progress_bar, unheard

RULE = "guarded"
THRESHOLDS = (0.42, THRESHOLD, 0.6)
# `similar`, and only where the model reads the concept as it read it in the corrected review.
ALIKE = "similar_read_alike"
MODES = (EVERYWHERE, SIMILAR, ALIKE)
# Further reviews: edits of the corrected one with its gold state, with another one and another text, with
# another one for the very same text; and close reviews of other originals.
KINDS = SAME, DIFFERING, CONTRADICTING, UNRELATED = "same", "differing", "contradicting", "unrelated"
# What is counted, one for each correction and further review: those that the correction holds for, those
# whose concept is read right, and what changed between.
COUNTS = ("reviews", "fires", "right_before", "right_after", "fixed", "broken")


def detection(data: ReviewDataset, threshold: float = THRESHOLD) -> dict[str, Any]:
    """How well closeness finds edits of one original among all pairs of reviews: shares that are close."""
    drawn = np.stack([np.frombuffer(Signature.of(text).bits, np.uint8) for text in data.texts])
    names = np.array([example.group or example.id for example in data])
    # As in `Signature.similarity`: the angle of the threshold as a number of differing bits.
    most = np.arccos(threshold) / np.pi * 8 * BYTES
    found, pairs = np.zeros(2, np.int64), np.zeros(2, np.int64)  # of one original, of two
    for place in range(len(names) - 1):
        differing = np.bitwise_count(drawn[place + 1 :] ^ drawn[place]).sum(axis=1, dtype=np.int64)
        related = names[place + 1 :] == names[place]
        for row, chosen in enumerate((related, ~related)):
            pairs[row] += chosen.sum()
            found[row] += (differing[chosen] <= most).sum()
    if not pairs.all():
        raise InputError("closeness is measured on edits of the same reviews, and there are none here")
    (edits, others), (detected, false_alarms) = pairs.tolist(), (found / pairs).tolist()
    return {
        "threshold": threshold,
        "edits": edits,
        "others": others,
        "detected": detected,
        "false_alarms": false_alarms,
    }


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
) -> dict[str, dict[str, Any]]:
    """What the patch of each pair (`correct_pairs`) does alone to other edits and close reviews, by mode.

    No "unrelated" reviews for `everywhere`, where closeness plays no part.
    """
    counts = np.zeros((len(MODES), len(KINDS), len(COUNTS)), np.int64)
    signatures = [Signature.of(text) for text in data.texts]
    for number, (pair, patch) in enumerate(zip(pairs, patches, strict=True)):
        own, k = patch.signature, pair.k
        near = [own is not None and own.similarity(other) >= THRESHOLD for other in signatures]
        kinds = [_kind(pair, e, other == own) for e, other in zip(data, signatures, strict=True)]
        looked = [
            i
            for i, e in enumerate(data)
            if e.id != pair.example.id and (kinds[i] != KINDS.index(UNRELATED) or near[i])
        ]
        if looked:
            texts = [data.examples[i].text for i in looked]
            before = concept_logits(model, texts, patch.concept).argmax(-1).numpy()
            corrected = corrected_model(model, patch.edit)
            after = concept_logits(corrected, texts, patch.concept).argmax(-1).numpy()
            gold = np.array([data.examples[i].concepts[k] for i in looked])
            close, kind = np.array(near)[looked], np.array(kinds)[looked]
            alike = close & (before == model.space.states.index(patch.state_before))
            for mode, fires in enumerate((np.ones_like(close), close, alike)):
                was, now = before == gold, np.where(fires, after, before) == gold
                columns = (np.ones_like(close), fires, was, now, ~was & now, was & ~now)
                for row in range(len(KINDS)):
                    counts[mode, row] += [int(each[kind == row].sum()) for each in columns]
        on_progress(number + 1, len(pairs), f"single: {number + 1} of {len(pairs)}")
    found: dict[str, dict[str, Any]] = {}
    for name, rows in zip(MODES, counts.tolist(), strict=True):
        tallies = {kind: dict(zip(COUNTS, row, strict=True)) for kind, row in zip(KINDS, rows, strict=True)}
        found[name] = {"pairs": len(pairs), **tallies}
    found[EVERYWHERE][UNRELATED] = None
    return found


def _kind(pair: Pair, other: Example, same_text: bool) -> int:
    """The place of a further review in `KINDS`."""
    own = pair.example
    if own.group is None or other.group != own.group or other.id == own.id:
        return KINDS.index(UNRELATED)
    if other.concepts[pair.k] == own.concepts[pair.k]:
        return KINDS.index(SAME)
    return KINDS.index(CONTRADICTING if same_text else DIFFERING)


def evaluate_chain(
    model: ConceptModel,
    pairs: Sequence[Pair],
    patches: Sequence[Patch],
    lengths: Sequence[int],
    reviews: Reviews,
    profile: GuardProfile | None,
    rule: str = RULE,
    on_progress: OnWork = unheard,
) -> list[dict[str, Any]]:
    """One correction for similar reviews after another, without reset; figures after each of ``lengths``.

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


def _chain_figures(
    model: ConceptModel, pairs: Sequence[Pair], patches: Sequence[Patch], reviews: Reviews
) -> dict[str, Any]:
    """Accuracies of the unrelated guard reviews, and of the other edits of corrected reviews ("siblings",
    those that are corrected themselves left out); "guard_fires" are guard reviews that any patch holds for.
    Fewer patches than corrections: an earlier one had set a later pair right."""
    ids = {pair.example.id for pair in pairs}
    originals = {pair.example.group for pair in pairs} - {None}
    siblings = [other for other in reviews.pool if other.group in originals and other.id not in ids]
    said = predict_scoped(model, [pair.example.text for pair in pairs], patches).states
    right = [int(row[pair.k]) == pair.example.concepts[pair.k] for row, pair in zip(said, pairs, strict=True)]
    accuracies: dict[str, float] = {}
    for prefix, examples in (("", list(reviews.guard)), ("sibling_", siblings)):
        texts = [example.text for example in examples]
        start = _accuracies(model.predict(texts), examples) if texts else (0.0, 0.0)
        end = _accuracies(predict_scoped(model, texts, patches), examples) if texts else (0.0, 0.0)
        for place, what in enumerate(("concept", "label")):
            accuracies[f"{prefix}{what}_accuracy_start"] = start[place]
            accuracies[f"{prefix}{what}_accuracy"] = end[place]
    held = groups(reviews.guard.texts, patches)
    return {
        "corrections": len(pairs),
        "patches": len(patches),
        "still_right": sum(right) / len(right),
        **accuracies,
        "siblings": len(siblings),
        "guard_fires": sum(len(indices) for edit, indices in held.items() if edit.size),
    }


def _accuracies(said: Predictions, examples: Sequence[Example]) -> tuple[float, float]:
    """Of the concepts and of the label."""
    concepts = torch.tensor([example.concepts for example in examples])
    labels = torch.tensor([example.label for example in examples])
    return float((said.states == concepts).float().mean()), float((said.labels == labels).float().mean())


def _patch(model: ConceptModel, pair: Pair, done: Intervention) -> Patch:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Patch.of(done, model, created, signature=Signature.of(pair.example.text))


def run_scopes(
    model: ConceptModel,
    data: ReviewDataset,
    limit: int = 200,
    guard: int = 200,
    profile: int = 150,
    lengths: Sequence[int] = (10, 50, 100),
    seed: int = 0,
    on_progress: OnWork = unheard,
) -> dict[str, Any]:
    """Detection, single corrections and a chain, on the parts that ``intervene-eval`` uses as well.

    Raises `DataError` for data with other concepts, states or labels than the model.
    """
    check_fits(model, data)
    reviews = Reviews.of(data, profile, guard, seed)
    pairs = mispredicted(model, reviews.pool, limit, seed)
    made = reviews.made_profile(model, [RULE], on_progress)
    patches = correct_pairs(model, pairs, made, RULE, on_progress)
    settings = {"rule": RULE, "threshold": THRESHOLD, "limit": limit, "guard": len(reviews.guard)}
    settings |= {"profile": len(reviews.profile), "lengths": list(lengths), "seed": seed}
    return {
        "data": data_name(data),
        "model": model.fingerprint,
        "settings": settings,
        "detection": [detection(data, threshold) for threshold in THRESHOLDS],
        "single": evaluate_single(model, pairs, patches, data, on_progress),
        "chain": evaluate_chain(model, pairs, patches, lengths, reviews, made, RULE, on_progress),
        "schema_version": 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of CEBaB's JSON files")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--model", default="assets/models/cebab-minilm")
    parser.add_argument("--limit", type=int, default=200, help="single corrections")
    parser.add_argument("--lengths", default="10,50,100", help="figures after so many of the chain")
    parser.add_argument("--guard", type=int, default=200, help="reviews that measure side effects")
    parser.add_argument("--profile", type=int, default=150, help="further reviews, for the guard profile")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, data = ConceptModel.from_pretrained(given.model, "cpu"), load_cebab(given.data, given.split)
    lengths = [int(length) for length in given.lengths.split(",")]
    with progress_bar("scopes") as report:
        found = run_scopes(model, data, given.limit, given.guard, given.profile, lengths, given.seed, report)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(given.output, found)


if __name__ == "__main__":
    main()

"""Which reviews an experiment on corrections uses: disjoint parts, and the pairs a model reads wrong."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.guard_files import read_baseline
from sparsecbm_core.intervene.profile import GuardProfile, compute_profile
from sparsecbm_core.intervene.reading import concept_logits
from sparsecbm_core.intervene.rules import ALL_RULES
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import OnWork, unheard


@dataclass(frozen=True)
class Pair:
    """A concept (index ``k``) of a review that the model reads wrong."""

    example: Example
    k: int


@dataclass(frozen=True)
class Reviews:
    """Disjoint parts of one data set: no edit of a review is in two of them.

    ``profile`` sets the guard profile, ``guard`` measures side effects, ``pool`` holds what is corrected.
    """

    profile: ReviewDataset
    guard: ReviewDataset
    pool: ReviewDataset

    @classmethod
    def of(cls, data: ReviewDataset, profile: int, guard: int, seed: int) -> Reviews:
        """Whole groups in a seeded order, until each part has its number; the rest is the pool."""
        groups: dict[str, list[Example]] = {}
        for example in data:
            groups.setdefault(example.group or example.id, []).append(example)
        names = sorted(groups)
        random.Random(seed).shuffle(names)
        parts: list[list[Example]] = [[], [], []]
        for name in names:
            here = 0 if len(parts[0]) < profile else 1 if len(parts[1]) < guard else 2
            parts[here] += groups[name]
        if not all(parts):
            raise InputError(
                f"{len(data)} reviews are too few for {profile} in the guard profile, {guard} on guard and "
                "some to correct; ask for fewer"
            )
        return cls(*(replace(data, examples=tuple(part)) for part in parts))

    def baseline(self, model: ConceptModel) -> GuardBaseline:
        """The guard reviews as the model reads them."""
        return read_baseline(model, self.guard)

    def made_profile(
        self, model: ConceptModel, rules: Iterable[str], on_progress: OnWork = unheard
    ) -> GuardProfile | None:
        """The guard profile, where any of the rules needs one."""
        if not any(ALL_RULES[rule].needs_profile for rule in rules):
            return None
        texts, fingerprint = self.profile.texts, self.profile.fingerprint()
        return compute_profile(
            model, texts, fingerprint, lambda done, total: on_progress(done, total, "guard profile")
        )


def mispredicted(model: ConceptModel, pool: ReviewDataset, limit: int, seed: int) -> list[Pair]:
    """The first ``limit`` wrong (review, concept) pairs in a seeded order."""
    order = list(pool)
    random.Random(seed).shuffle(order)
    states = model.predict([example.text for example in order]).states
    pairs = [
        Pair(example, k)
        for example, said in zip(order, states.tolist(), strict=True)
        for k, (state, gold) in enumerate(zip(said, example.concepts, strict=True))
        if state != gold
    ]
    random.Random(seed + 1).shuffle(pairs)
    if not pairs:
        raise InputError("the model reads every concept of these reviews right; there is nothing to correct")
    return pairs[:limit]


def siblings_right(model: ConceptModel, pair: Pair, pool: ReviewDataset) -> tuple[int, int]:
    """Other edits of the same review with the same gold state: how many are right, and how many there are."""
    example, gold = pair.example, pair.example.concepts[pair.k]
    texts = [
        other.text
        for other in pool
        if example.group is not None
        and other.group == example.group
        and other.id != example.id
        and other.concepts[pair.k] == gold
    ]
    if not texts:
        return 0, 0
    said = concept_logits(model, texts, model.space.concepts[pair.k]).argmax(-1)
    return int((said == gold).sum()), len(texts)

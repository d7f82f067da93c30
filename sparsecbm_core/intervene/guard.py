"""What else a correction changed: labelled reviews it should leave alone, before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.models.subnetworks import active

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.concept_model import ConceptModel

BATCH = 32
FIXED, BROKEN, OTHER = "fixed", "broken", "changed"


@dataclass(frozen=True)
class Change:
    """One prediction that is another now. ``kind``: "fixed" (right now), "broken" (was right) or
    "changed" (wrong before and after)."""

    review: str
    target: str
    gold: str
    before: str
    after: str
    kind: str


@dataclass(frozen=True)
class Tally:
    """How many of ``total`` predictions are as they were, and the accuracy before and after."""

    total: int
    unchanged: int
    fixed: int
    broken: int
    accuracy_before: float
    accuracy_after: float

    @property
    def unchanged_share(self) -> float:
        return self.unchanged / self.total

    @property
    def accuracy_delta(self) -> float:
        return self.accuracy_after - self.accuracy_before


@dataclass(frozen=True)
class GuardReport:
    """A correction's side effects: on the same concept, on all other concepts, and on the label."""

    data: str
    reviews: int
    concept: Tally
    other_concepts: Tally
    label: Tally
    changes: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def summary(self) -> dict[str, Any]:
        """The tallies without the single changes: what a patch keeps."""
        return {name: value for name, value in self.to_dict().items() if name != "changes"}


@dataclass(frozen=True, eq=False)
class GuardBaseline:
    """A model's reading of the guard reviews, made once: concept logits (N, K, C) on the CPU."""

    model: ConceptModel
    reviews: ReviewDataset
    concept_logits: torch.Tensor

    @classmethod
    def read(
        cls,
        model: ConceptModel,
        reviews: ReviewDataset,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> GuardBaseline:
        """Raises `InputError` for an empty set or one with other concepts or labels than the model."""
        if not len(reviews):
            raise InputError("the guard set is empty; give at least one labelled review")
        if (reviews.space.concepts, reviews.space.labels) != (model.space.concepts, model.space.labels):
            raise InputError("the guard set has other concepts or labels than the model")
        said = model.predict(reviews.texts, BATCH, on_progress=on_progress)
        if said.concept_logits is None:
            raise InputError("this is a standard classifier: it has no concepts to guard")
        return cls(model, reviews, said.concept_logits)

    def after(self, corrected: ConceptModel, concepts: Sequence[str]) -> torch.Tensor:
        """Concept logits (N, K, C) under ``corrected``, which differs in these ``concepts`` only."""
        logits = self.concept_logits.clone()
        for concept in concepts:
            k = corrected.space.concept_index(concept)
            logits[:, k] = concept_logits(corrected, self.reviews.texts, concept)
        return logits

    def report(
        self, corrected: ConceptModel, concepts: Sequence[str], about: Sequence[str] | None = None
    ) -> GuardReport:
        """What changed on the guard set; only the subnetworks of ``concepts`` and the head are run again.

        ``about`` are the concepts tallied as "concept", by default all that can have changed.
        """
        space, logits = self.model.space, self.after(corrected, concepts)
        gold = torch.tensor([example.concepts for example in self.reviews])  # (N, K)
        labels = torch.tensor([example.label for example in self.reviews])
        before, after = self.concept_logits.argmax(-1), logits.argmax(-1)
        label_before = _labels(self.model, self.concept_logits)
        label_after = _labels(corrected, logits)
        same = [space.concept_index(name) for name in (concepts if about is None else about)]
        rest = [k for k in range(space.num_concepts) if k not in same]
        changes = []
        for i, example in enumerate(self.reviews):
            for k, concept in enumerate(space.concepts):
                values = gold[i, k], before[i, k], after[i, k]
                changes += _change(example.id, concept, space.states, *map(int, values))
            values = labels[i], label_before[i], label_after[i]
            changes += _change(example.id, "label", space.labels, *map(int, values))
        return GuardReport(
            data=" ".join(dict.fromkeys((self.reviews.name, self.reviews.split))),
            reviews=len(self.reviews),
            concept=_tally(gold[:, same], before[:, same], after[:, same]),
            other_concepts=_tally(gold[:, rest], before[:, rest], after[:, rest]),
            label=_tally(labels, label_before, label_after),
            changes=tuple(changes),
        )


def concept_logits(model: ConceptModel, texts: Sequence[str], concept: str) -> torch.Tensor:
    """Logits (N, C) of one concept, by its subnetwork alone: a Kth of a full reading."""
    network, k = model.cbm, model.space.concept_index(concept)
    weights = None if model.weights is None else model.weights.only(concept)
    logits = torch.empty(len(texts), model.space.num_states)
    with torch.inference_mode(), active(weights):
        for indices, ids, mask in model.batches(model.encode(texts), BATCH):
            pooled = network.pooled(network.embed(ids), mask)  # (B, E)
            said = pooled @ network.projector[k].T + network.projector_bias[k]
            logits[indices] = said.float().cpu()
    return logits


def _labels(model: ConceptModel, logits: torch.Tensor) -> torch.Tensor:
    """Label indices (N,) from concept logits (N, K, C)."""
    with torch.inference_mode():
        return model.cbm.label_logits(logits.to(model.device).sigmoid()).argmax(-1).cpu()


def _tally(gold: torch.Tensor, before: torch.Tensor, after: torch.Tensor) -> Tally:
    right, now = before == gold, after == gold
    total = max(1, gold.numel())
    return Tally(
        total=gold.numel(),
        unchanged=int((before == after).sum()),
        fixed=int((~right & now).sum()),
        broken=int((right & ~now).sum()),
        accuracy_before=int(right.sum()) / total,
        accuracy_after=int(now.sum()) / total,
    )


def _change(
    review: str, target: str, names: Sequence[str], gold: int, before: int, after: int
) -> list[Change]:
    if before == after:
        return []
    kind = FIXED if after == gold else BROKEN if before == gold else OTHER
    return [Change(review, target, names[gold], names[before], names[after], kind)]

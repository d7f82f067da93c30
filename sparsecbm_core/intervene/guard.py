"""What else a correction changed: labelled reviews it should leave alone, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.reading import HalfError, label_logits, read_part
from sparsecbm_core.progress import OnCount, unheard

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded
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
        """1 where there are no predictions, as of the other concepts of a model with one: nothing changed."""
        return self.unchanged / self.total if self.total else 1.0

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
    """A reading of the guard reviews, to compare others with: ``readings`` (N, P, R) on the CPU.

    ``states`` (N, K) and ``labels`` (N,) are what float32 predicts, always. Where ``exact`` (N, P) is
    false the readings are those of bfloat16, clear enough to tell the state and the label; ``error`` says
    how far off they may be, and without it all is read exactly. ``model`` is the model first read, also
    in the baselines that `at` returns: those hold no corrected weights and can be kept.
    """

    model: ConceptModel
    reviews: ReviewDataset
    readings: torch.Tensor
    labels: torch.Tensor
    exact: torch.Tensor
    error: HalfError | None = None

    @classmethod
    def read(
        cls,
        model: ConceptModel,
        reviews: ReviewDataset,
        on_progress: OnCount = unheard,
    ) -> GuardBaseline:
        """Raises `InputError` for an empty set and for other concepts, states or labels than the model's."""
        if not len(reviews):
            raise InputError("the guard set is empty; give at least one labelled review")
        given, own = reviews.space, model.space
        if (given.concepts, given.states, given.labels) != (own.concepts, own.states, own.labels):
            raise InputError("the guard set has other concepts, states or labels than the model")
        said = model.predict(reviews.texts, BATCH, on_progress=on_progress)
        if said.readings is None:
            raise InputError("this is a standard classifier: it has no concepts to guard")
        return cls.of(model, reviews, said.readings)

    @classmethod
    def of(
        cls,
        model: ConceptModel,
        reviews: ReviewDataset,
        readings: torch.Tensor,
        error: HalfError | None = None,
    ) -> GuardBaseline:
        """The baseline of a model whose exact readings (N, P, R) are known."""
        labels = label_logits(model, readings).argmax(-1)
        exact = torch.ones(readings.shape[:2], dtype=torch.bool)
        return cls(model, reviews, readings, labels, exact, error)

    @property
    def concept_logits(self) -> torch.Tensor:
        """ℓ (N, K, C)."""
        return self.model.cbm.concept_logits(self.readings)

    @property
    def states(self) -> torch.Tensor:
        """Predicted state indices (N, K)."""
        return self.concept_logits.argmax(-1)

    @cached_property
    def encoded(self) -> Sequence[Encoded]:
        """The reviews as tokens."""
        return self.model.encode(self.reviews.texts)

    def quick(self) -> GuardBaseline:
        """The same baseline, whose later readings are in bfloat16 wherever that decides the prediction."""
        error = HalfError.measure(self.model, self.encoded, self.readings)
        return self._with(error=error)

    def exactly(self) -> GuardBaseline:
        """The same baseline, whose later readings are all exact."""
        return self._with(error=None)

    def at(self, corrected: ConceptModel, concepts: Sequence[str]) -> GuardBaseline:
        """The reading of ``corrected``, which differs from the model read here in these ``concepts`` only.

        In the quick way, predictions that bfloat16 leaves in doubt, or reads as changed, are read again
        exactly. A model with other weights than the masks make of this one's is always read exactly.
        """
        chosen = [corrected.cbm.part_index(concept) for concept in concepts]
        readings, exact = self.readings.clone(), self.exact.clone()
        half = self.error is not None and corrected.network is self.model.network
        for k in chosen:
            quick = ~self._near(k) if half else torch.zeros(len(exact), dtype=torch.bool)
            readings[:, k] = read_part(corrected, self.encoded, self._part(k), half=quick)
            exact[:, k] = ~quick

        while self.error is not None and half:
            again = self._unsure(corrected, readings, exact, self.error)
            if not again.any():
                break
            for k in again.any(0).nonzero().flatten().tolist():
                rows = again[:, k]
                some = [self.encoded[i] for i in rows.nonzero().flatten().tolist()]
                readings[rows, k] = read_part(corrected, some, self._part(k))
            exact |= again
        labels = label_logits(corrected, readings).argmax(-1)
        return self._with(readings=readings, labels=labels, exact=exact)

    def _near(self, k: int) -> torch.Tensor:
        """Reviews (N,) so near to another state of part k, or another label, that a quick reading of k
        would be in doubt if they did not move: they are read exactly at once."""
        if self.error is None:
            return torch.ones(len(self.labels), dtype=torch.bool)
        exact = torch.ones_like(self.exact)
        exact[:, k] = False
        label = self.error.label_in_doubt(self.model, self.readings, exact)
        if k >= self.concept_logits.shape[1]:
            return label
        return self.error.state_in_doubt(self.concept_logits[:, k], k) | label

    def _unsure(
        self, corrected: ConceptModel, readings: torch.Tensor, exact: torch.Tensor, error: HalfError
    ) -> torch.Tensor:
        """What must be read exactly (N, P) before states and labels are certain: readings (N, P, R), some of
        them ``exact`` (N, P) already.

        States first: what is read again for them is exact when its label is looked at.
        """
        logits = corrected.cbm.concept_logits(readings)
        doubt = [error.state_in_doubt(logits[:, k], k) for k in range(logits.shape[1])]
        again = torch.zeros_like(exact)
        again[:, : len(doubt)] = (logits.argmax(-1) != self.states) | torch.stack(doubt, 1)
        again &= ~exact
        labels = label_logits(corrected, readings).argmax(-1)
        rows = (labels != self.labels) | error.label_in_doubt(corrected, readings, exact | again)
        return again | (rows[:, None] & ~exact)

    def report(
        self, corrected: ConceptModel, concepts: Sequence[str], about: Sequence[str] | None = None
    ) -> GuardReport:
        """What changed on the guard set; only the subnetworks of ``concepts`` and the head are run again.

        ``about`` are the concepts tallied as "concept", by default all that can have changed.
        """
        return self.compare(self.at(corrected, concepts), concepts if about is None else about)

    def compare(self, later: GuardBaseline, about: Sequence[str]) -> GuardReport:
        """What is different in a ``later`` reading of the same reviews, made by `at`."""
        space = self.model.space
        gold = torch.tensor([example.concepts for example in self.reviews])  # (N, K)
        labels = torch.tensor([example.label for example in self.reviews])
        before, after = self.states, later.states
        same = [space.concept_index(name) for name in about if name in space.concepts]
        rest = [k for k in range(space.num_concepts) if k not in same]
        changes = []
        for i, example in enumerate(self.reviews):
            for k, concept in enumerate(space.concepts):
                values = gold[i, k], before[i, k], after[i, k]
                changes += _change(example.id, concept, space.states, *map(int, values))
            values = labels[i], self.labels[i], later.labels[i]
            changes += _change(example.id, "label", space.labels, *map(int, values))
        return GuardReport(
            data=" ".join(dict.fromkeys((self.reviews.name, self.reviews.split))),
            reviews=len(self.reviews),
            concept=_tally(gold[:, same], before[:, same], after[:, same]),
            other_concepts=_tally(gold[:, rest], before[:, rest], after[:, rest]),
            label=_tally(labels, self.labels, later.labels),
            changes=tuple(changes),
        )

    def _part(self, k: int) -> str:
        return self.model.cbm.parts[k]

    def _with(self, **values: Any) -> GuardBaseline:
        """A copy with some values replaced, which keeps the tokens."""
        copy = replace(self, **values)
        copy.__dict__["encoded"] = self.encoded
        return copy


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

"""What an intervention did, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sparsecbm_core.intervene.edits import FlipCount, MaskEdit

if TYPE_CHECKING:
    from sparsecbm_core.explain.results import ExpectedValue
    from sparsecbm_core.intervene.variants import Variant
    from sparsecbm_core.models.concept_model import ConceptModel

SCHEMA_VERSION = 1
REACHED, NOT_REACHED, ALREADY = "reached", "not_reached", "already"


@dataclass(frozen=True)
class Reading:
    """One text as a model reads it: the concept's states and the label, with probabilities; ``expected`` is
    the answer on the scale of ordered labels."""

    state: str
    states: Mapping[str, float]
    label: str
    labels: Mapping[str, float]
    expected: ExpectedValue | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "states": dict(self.states),
            "label": self.label,
            "labels": dict(self.labels),
            "expected": None if self.expected is None else asdict(self.expected),
        }


@dataclass(frozen=True)
class Intervention:
    """A concept of one text set to ``state`` by ``rule``.

    ``outcome`` is "reached", "not_reached" (an outcome, not an error: ``after`` and ``edit`` are then the
    closest that was found) or "already" (the model said so before; nothing is changed). ``r`` is the
    share of the L prunable weights that were dropped, and as many grown; ``requested_r`` what was
    asked for, a number or "auto". ``oracle`` is the reading with the concept's activations set by hand
    and only the label head run again. ``gradients`` counts backward passes; ``protected_broken`` the
    protected readings (earlier corrections, anchors) that were as they should be and are not any more.
    ``corrected`` is the model under the new masks; it shares everything else with the one given.
    ``variants`` are the review in other words, as it was and is read, where they were looked at.
    """

    fingerprint: str
    concept: str
    state: str
    rule: str
    requested_r: float | str | None
    r: float
    seed: int
    outcome: str
    before: Reading
    after: Reading
    oracle: Reading
    edit: MaskEdit
    counts: tuple[FlipCount, ...]
    total: int
    gradients: int
    seconds: float
    corrected: ConceptModel = field(repr=False)
    schema_version: int = SCHEMA_VERSION
    protected_broken: int = 0
    variants: tuple[Variant, ...] = ()

    @property
    def again(self) -> bool:
        """Whether the same text, submitted anew, has the state asked for; after an oracle it has not."""
        return self.after.state == self.state

    @property
    def dropped(self) -> int:
        return sum(count.dropped for count in self.counts)

    @property
    def grown(self) -> int:
        return sum(count.grown for count in self.counts)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; flips as counts per matrix (the edit itself goes into a patch file)."""
        return {
            "schema_version": self.schema_version,
            "fingerprint": self.fingerprint,
            "concept": self.concept,
            "state": self.state,
            "rule": self.rule,
            "requested_r": self.requested_r,
            "r": self.r,
            "seed": self.seed,
            "outcome": self.outcome,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "oracle": self.oracle.to_dict(),
            "again": self.again,
            "flips": self.edit.size,
            "dropped": self.dropped,
            "grown": self.grown,
            "prunable_weights": self.total,
            "matrices": [
                {"matrix": count.matrix, "dropped": count.dropped, "grown": count.grown}
                for count in self.counts
            ],
            "edit": self.edit.fingerprint(),
            "gradients": self.gradients,
            "protected_broken": self.protected_broken,
            "variants": [asdict(variant) for variant in self.variants],
            "seconds": self.seconds,
        }

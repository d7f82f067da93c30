"""How much a correction needs: one order of the weights, flipped further and further.

    result = dose_response(model, text, "service", "Negative", profile=profile, baseline=baseline)
    result.points  # DosePoint per dose, the first one without any flip
    result.smallest  # the first of them that makes the state the predicted one, or None

`figures.dose_figure` draws it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.correct import Case, reading
from sparsecbm_core.intervene.flips import AUTO_LIMIT, FIRST, FlipOrder
from sparsecbm_core.intervene.in_force import corrected_model
from sparsecbm_core.intervene.results import Reading
from sparsecbm_core.intervene.rules import Rule, rule_named
from sparsecbm_core.intervene.subnetwork import Subnetwork
from sparsecbm_core.progress import OnCount, unheard

if TYPE_CHECKING:
    from sparsecbm_core.intervene.guard import GuardBaseline
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.models.concept_model import ConceptModel

DOSES = 12


@dataclass(frozen=True)
class DosePoint:
    """The review with ``count`` weights dropped and as many grown; ``r`` is their share of all L.

    The accuracies are those of the guard reviews at this dose, on the concept and on the label; None
    without a guard set.
    """

    count: int
    r: float
    reading: Reading
    concept_accuracy: float | None = None
    label_accuracy: float | None = None


@dataclass(frozen=True)
class DoseResponse:
    """What growing doses of one correction do to the review and to the guard reviews.

    ``points`` begin with the model as it is (dose 0), ``total`` is L, ``kept`` the weights the concept
    keeps: the same number at every dose. ``guard_reviews`` is 0 without a guard set.
    """

    fingerprint: str
    concept: str
    state: str
    rule: str
    seed: int
    total: int
    kept: int
    guard_reviews: int
    points: tuple[DosePoint, ...]
    seconds: float

    @property
    def before(self) -> DosePoint:
        """The model as it is."""
        return self.points[0]

    @property
    def already(self) -> bool:
        """Whether the model says so before any flip."""
        return self.before.reading.state == self.state

    @property
    def smallest(self) -> DosePoint | None:
        """The smallest dose that makes ``state`` the predicted one; None if none does, or none is needed."""
        if self.already:
            return None
        return next((point for point in self.points if point.reading.state == self.state), None)

    def rows(self) -> list[dict[str, Any]]:
        """A table: one row per dose. ``label_before`` is the probability of the label predicted at dose 0."""
        smallest, guarded = self.smallest, self.guard_reviews > 0
        return [
            {
                "r": point.r,
                "dropped": point.count,
                "grown": point.count,
                "target_state": point.reading.states[self.state],
                "state": point.reading.state,
                "label": point.reading.label,
                "label_probability": point.reading.labels[point.reading.label],
                "label_before": point.reading.labels[self.before.reading.label],
                **({"guard_concept": point.concept_accuracy} if guarded else {}),
                **({"guard_label": point.label_accuracy} if guarded else {}),
                "smallest": point is smallest,
            }
            for point in self.points
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        smallest = self.smallest
        return {
            "fingerprint": self.fingerprint,
            "concept": self.concept,
            "state": self.state,
            "rule": self.rule,
            "seed": self.seed,
            "prunable_weights": self.total,
            "kept": self.kept,
            "guard_reviews": self.guard_reviews,
            "already": self.already,
            "smallest_r": None if smallest is None else smallest.r,
            "points": [
                {
                    "r": point.r,
                    "dropped": point.count,
                    "grown": point.count,
                    "reading": point.reading.to_dict(),
                    "concept_accuracy": point.concept_accuracy,
                    "label_accuracy": point.label_accuracy,
                }
                for point in self.points
            ],
            "seconds": self.seconds,
        }


def dose_response(
    model: ConceptModel,
    text: str,
    concept: str,
    state: str,
    rule: str = "guarded",
    profile: GuardProfile | None = None,
    baseline: GuardBaseline | None = None,
    seed: int = 0,
    doses: Sequence[float] | None = None,
    on_progress: OnCount = unheard,
) -> DoseResponse:
    """Read ``text``, and the guard reviews of ``baseline``, at every dose r of the correction.

    The weights are ordered once, by one gradient at the model's own masks, and each dose flips the
    first r·L of them: what `intervene` does with a fixed r. ``doses`` are shares of the L prunable
    weights, by default `DOSES` of them spaced evenly on a log scale. The model is only read.
    ``on_progress`` is called after each dose, dose 0 included; what it raises ends the run.

    Raises `InputError` as `intervene` does, for a dose outside (0, min(s, 1 − s)], and for a baseline
    of another network; it must be the reading of ``model`` itself, corrections included.
    """
    started = time.perf_counter()
    chosen, case = rule_named(rule), Case.of(model, text, concept, state)
    if chosen.needs_profile and profile is None:
        raise InputError(f"rule {rule!r} needs a guard profile; give one, or choose another rule")
    if baseline is not None and baseline.model.fingerprint != model.fingerprint:
        raise InputError("the guard reviews were read by another model; read them with this one")
    subnetwork = Subnetwork(model, concept)
    kept = int(subnetwork.kept.sum())
    limit = min(kept, subnetwork.total - kept)
    if not limit:
        raise InputError(
            f"{concept} keeps {kept:,} of {subnetwork.total:,} weights: there is nothing to exchange"
        )
    counts = (
        _default_counts(chosen, subnetwork.total, limit)
        if doses is None
        else _counts(doses, subnetwork, limit)
    )
    scale = profile.scale(subnetwork) if profile is not None and chosen.needs_profile else None
    order = FlipOrder.of(subnetwork, chosen, counts[-1], case.gradient(subnetwork), scale, seed)
    points = [DosePoint(0, 0.0, case.before)]
    on_progress(1, len(counts) + 1)
    for count in counts:
        order.go_to(count)
        readings = case.readings.clone()  # (P, R)
        readings[case.k] = subnetwork.read(case.batch)[0].to(readings)
        point = DosePoint(count, count / subnetwork.total, reading(model, readings, case.k))
        if baseline is not None:
            corrected = corrected_model(model, subnetwork.edit(), {concept: subnetwork.matrices()})
            guard = baseline.report(corrected, [concept])
            of_concept, of_label = guard.concept, guard.label
            points[0] = replace(
                points[0],
                concept_accuracy=of_concept.accuracy_before,
                label_accuracy=of_label.accuracy_before,
            )
            point = replace(
                point, concept_accuracy=of_concept.accuracy_after, label_accuracy=of_label.accuracy_after
            )
        points.append(point)
        on_progress(len(points), len(counts) + 1)
    return DoseResponse(
        fingerprint=model.fingerprint,
        concept=concept,
        state=state,
        rule=rule,
        seed=seed,
        total=subnetwork.total,
        kept=kept,
        guard_reviews=0 if baseline is None else len(baseline.reviews),
        points=tuple(points),
        seconds=time.perf_counter() - started,
    )


def _default_counts(rule: Rule, total: int, limit: int) -> list[int]:
    """About `DOSES` weight counts, evenly on a log scale: up to twice the r that the rule is meant for."""
    largest = AUTO_LIMIT if isinstance(rule.r, str) else 2 * rule.r
    last = min(max(FIRST, round(largest * total)), limit)
    first = min(FIRST, last)
    steps = [first * (last / first) ** (i / (DOSES - 1)) for i in range(DOSES)]
    return sorted({round(step) for step in steps})


def _counts(doses: Sequence[float], subnetwork: Subnetwork, limit: int) -> list[int]:
    """Weights to drop at each dose, ascending; doses that come to the same number are one."""
    if not len(doses):
        raise InputError("give at least one dose, or none for the usual ones")
    largest = limit / subnetwork.total
    for r in doses:
        if isinstance(r, bool) or not isinstance(r, (int, float)) or not 0 < r <= largest:
            raise InputError(f"a dose must be a share in (0, {largest:.4g}] of the weights, got {r!r}")
    return sorted({max(1, round(r * subnetwork.total)) for r in doses})

"""How much the concepts' masks overlap, against chance, before and after the session's corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsecbm_core.concepts import ConceptSpace
from ui.resources.subnetworks import stats_of
from ui.widgets import layout, subnetworks
from ui.widgets.exhibits import show_exhibit

if TYPE_CHECKING:
    from sparsecbm_core.explain.subnetworks import SubnetworkStats
    from sparsecbm_core.models.concept_model import ConceptModel


def show(base: ConceptModel, now: ConceptModel) -> None:
    before, after = stats_of(base), stats_of(now)
    if before is None or after is None or not after.overlaps:
        return
    layout.section("Overlap between concepts", _summary(before, after), help=subnetworks.CHANCE)
    changed = None if now is base else rows(before, after, base.space)
    show_exhibit(subnetworks.overlap_exhibit(after, base.space, changed))


def _summary(before: SubnetworkStats, after: SubnetworkStats) -> str:
    text = subnetworks.overlap_words(after)
    if before is after:
        return text
    moved = max(abs(a.jaccard - b.jaccard) for a, b in zip(before.overlaps, after.overlaps, strict=True))
    if moved < 1e-4:
        return f"{text} The corrections moved no pair by as much as 0.01 points."
    return f"{text} The corrections moved no pair by more than {100 * moved:.2f} points."


def rows(before: SubnetworkStats, after: SubnetworkStats, space: ConceptSpace) -> list[dict[str, Any]]:
    """Weights shared by each pair, as loaded and now."""
    return [
        {
            "first": space.title(old.first),
            "second": space.title(old.second),
            "shared_before": old.both,
            "shared_now": new.both,
            "overlap_before": old.jaccard,
            "overlap_now": new.jaccard,
            "by_chance": new.chance_by_matrix,
        }
        for old, new in zip(before.overlaps, after.overlaps, strict=True)
    ]

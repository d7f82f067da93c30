"""How many weights of a mask are used, dropped and grown, in words and as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsecbm_core.figures import precise_percent
from ui.widgets.mask_view import DIFFERENCE, View

if TYPE_CHECKING:
    from sparsecbm_core.explain.mask_changes import MaskChanges, MatrixChange

HELP = (
    "Used: the concept reads with this weight. Pruned: it does without it. A correction drops some used "
    "weights and grows as many pruned ones; no weight's value changes. Only the weight matrices of the "
    "encoder's layers are divided up; embeddings, LayerNorms and biases belong to all concepts."
)


def sparsity(total: MaskChanges) -> str:
    """Whether the sparsity is exactly what it was."""
    more, now = total.kept_after - total.kept_before, 1 - total.kept_after / total.size
    if not more:
        return f"sparsity unchanged at {precise_percent(now)}"
    return f"{abs(more):,} {'more' if more > 0 else 'fewer'} than before, sparsity {precise_percent(now)}"


def matrix_rows(view: View) -> list[dict[str, Any]]:
    """The numbers of the view, one row per matrix."""
    return [
        {"layer": str(item.layer + 1), "matrix": item.role, **_counts(item, view)}
        for item in view.changes.matrices
    ]


def total_row(view: View) -> dict[str, Any]:
    """The last row of that table."""
    return {"layer": "all", "matrix": "", **_counts(view.changes, view)}


def _counts(item: MatrixChange | MaskChanges, view: View) -> dict[str, Any]:
    if view.single:
        return {"used": item.kept, "of": item.size, "share": item.kept / item.size}
    if view.kind == DIFFERENCE:
        return {
            "used_before": item.kept_before,
            "dropped": item.dropped,
            "grown": item.grown,
            "used_now": item.kept_after,
            "of": item.size,
        }
    either = item.kept + item.dropped + item.grown
    return {
        "both": item.kept,
        f"only {view.title}": item.dropped,
        f"only {view.second_title}": item.grown,
        "neither": item.size - either,
        "overlap": shared(item.kept, either),
    }


def shared(part: int, whole: int) -> float:
    """A share; all of nothing is all."""
    return part / whole if whole else 1.0

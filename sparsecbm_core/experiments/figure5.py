"""Figure 5: accuracy against sparsity, each model pruned from the same dense one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.experiments import pruned
from sparsecbm_core.experiments.experiment import Experiment, Measured, Part, Table
from sparsecbm_core.experiments.options import Choice, FromDense
from sparsecbm_core.experiments.recipes import sparse_recipe
from sparsecbm_core.experiments.summary import FIGURES, over_seeds

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.lab import Lab


@dataclass(frozen=True)
class Options(FromDense):
    sparsities: Annotated[tuple[float, ...], Choice("Sparsities per concept.")] = (
        0.5,
        0.6,
        0.7,
        0.75,
        0.8,
        0.9,
        0.95,
    )
    recipe: Annotated[str, Choice("Sparse recipe: sparse (the paper's), taught, disjoint or distinct.")] = (
        "sparse"
    )


def parts(lab: Lab, options: Options) -> list[Part]:
    """The dense models, then one pruned model for each sparsity."""
    recipe = sparse_recipe(options.recipe)
    variants = [
        pruned.Variant({"model": options.recipe, "sparsity": s}, recipe, {"sparsity": s})
        for s in options.sparsities
    ]
    return pruned.dense_and_pruned(lab, options, variants)


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Mean and deviation over seeds at each sparsity."""
    rows = over_seeds(parts, (*FIGURES, "jaccard"))
    return {"rows": sorted(rows, key=lambda row: row["sparsity"])}


def tables(results: Mapping[str, Any]) -> list[Table]:
    labels = {"model": "model", "sparsity": "sparsity"}
    return [pruned.accuracies("Accuracy by sparsity (per cent)", results["rows"], labels)]


def draw(results: Mapping[str, Any]) -> go.Figure | None:
    """Concepts and label against sparsity, with the dense models as levels."""
    from sparsecbm_core.figures import curves_figure

    panels = pruned.panels(results["rows"], "model", "sparsity")
    return curves_figure(panels, pruned.SPARSITY, "accuracy") if panels else None


EXPERIMENT = Experiment(
    name="figure5",
    title="Figure 5: how sparse a subnetwork can be",
    claim="The paper: accuracy holds over a wide range of sparsity, and excessive pruning costs accuracy.",
    options=Options,
    parts=parts,
    unit=pruned.unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

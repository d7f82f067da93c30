"""Does the second-order score earn its cost? Other scores at equal sparsities, from the same dense model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.config import CRITERIA
from sparsecbm_core.experiments import pruned
from sparsecbm_core.experiments.experiment import Experiment, Measured, Part, Table
from sparsecbm_core.experiments.options import Choice, FromDense
from sparsecbm_core.experiments.recipes import RECIPES
from sparsecbm_core.experiments.summary import FIGURES, over_seeds

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.lab import Lab


@dataclass(frozen=True)
class Options(FromDense):
    criteria: Annotated[tuple[str, ...], Choice(f"Scores of weights: {', '.join(CRITERIA)}.")] = CRITERIA
    sparsities: Annotated[tuple[float, ...], Choice("Sparsities per concept.")] = (0.5, 0.75, 0.9)


def parts(lab: Lab, options: Options) -> list[Part]:
    """The dense models, then one pruned model for each score and sparsity; the paper's recipe else."""
    variants = [
        pruned.Variant(
            {"criterion": criterion, "sparsity": s},
            RECIPES["sparse"],
            {"criterion": criterion, "sparsity": s},
        )
        for criterion in options.criteria
        for s in options.sparsities
    ]
    return pruned.dense_and_pruned(lab, options, variants)


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Mean and deviation over seeds for each score and sparsity."""
    return {"rows": pruned.dense_first(over_seeds(parts, (*FIGURES, "jaccard")), "criterion")}


def tables(results: Mapping[str, Any]) -> list[Table]:
    labels = {"score": "criterion", "sparsity": "sparsity"}
    return [pruned.accuracies("Accuracy by score and sparsity (per cent)", results["rows"], labels)]


def draw(results: Mapping[str, Any]) -> go.Figure | None:
    """A line for each score; the dense model as a level."""
    from sparsecbm_core.figures import curves_figure

    panels = pruned.panels(results["rows"], "criterion", "sparsity")
    return curves_figure(panels, pruned.SPARSITY, "accuracy") if panels else None


EXPERIMENT = Experiment(
    name="criteria",
    title="Which weights to prune",
    claim=(
        "The paper prunes by second-order scores. Beside them: the diagonal Fisher information, Wanda, "
        "magnitude, chance, and whole neurons. Weights compete within their matrix, also by Wanda, whose "
        "authors let them compete within a row. Magnitude is the same for every concept and chance is not: "
        "scores also differ in the overlap that they lead to."
    ),
    options=Options,
    parts=parts,
    unit=pruned.unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

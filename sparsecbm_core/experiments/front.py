"""What distinct subnetworks cost: overlap against accuracy, and whether a subnetwork is its concept's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.experiments import pruned
from sparsecbm_core.experiments.experiment import Experiment, Measured, Part, Table
from sparsecbm_core.experiments.measure import scores
from sparsecbm_core.experiments.options import Choice, FromDense
from sparsecbm_core.experiments.recipes import RECIPES, Recipe
from sparsecbm_core.experiments.summary import FIGURES, cell, over_seeds, overlap_cell

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.experiments.lab import Lab
    from sparsecbm_core.models.concept_model import ConceptModel

# Ways to keep subnetworks apart: settings on top of the recipe "taught", all from the same dense model. Each
# is run at every λ, except where it sets the exclusivity itself: then once.
WAYS: Mapping[str, Mapping[str, Any]] = {
    "penalty": {},
    "penalty over the whole encoder": {"scope": "global"},
    "partition": {"method": "partition", "exclusivity": 0.0, "swap_loss": 0.1, "sparse_encoder_lr": 3e-4},
    "partition without swap loss": {"method": "partition", "exclusivity": 0.0, "sparse_encoder_lr": 3e-4},
}


@dataclass(frozen=True)
class Options(FromDense):
    ways: Annotated[tuple[str, ...], Choice(f"Ways to keep subnetworks apart: {'; '.join(WAYS)}.")] = (
        "penalty",
    )
    lambdas: Annotated[tuple[float, ...], Choice("λ, the exclusivity.")] = (0.0, 0.25, 0.5, 0.75, 0.88, 1.0)


def parts(lab: Lab, options: Options) -> list[Part]:
    """The dense models, then one pruned model for each way and λ."""
    variants = []
    for name in options.ways:
        if name not in WAYS:
            raise InputError(one_of(name, WAYS, "way"))
        own = WAYS[name].get("exclusivity")
        recipe = replace(RECIPES["taught"], values={**RECIPES["taught"].values, **WAYS[name]})
        variants += [_variant(name, recipe, value) for value in (options.lambdas if own is None else (own,))]
    return pruned.dense_and_pruned(lab, options, variants, with_swapped_masks)


def with_swapped_masks(model: ConceptModel, data: ReviewDataset) -> dict[str, Any]:
    """The usual figures, and accuracy(concept k | mask j): how much a concept loses under another's mask."""
    from sparsecbm_core.explain.swapped import cross_accuracy

    cross = cross_accuracy(model, data)
    other = cross.mean_other
    return {
        **scores(model, data),
        "own_mask": cross.mean_own,
        "wrong_mask": other,
        "wrong_mask_drop": None if other is None else cross.mean_own - other,
        "cross_accuracy": {"concepts": list(cross.concepts), "matrix": [list(r) for r in cross.accuracy]},
    }


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Mean and deviation over seeds for each way and λ."""
    rows = over_seeds(parts, (*FIGURES, "jaccard", "jaccard_chance", "own_mask", "wrong_mask_drop"))
    return {"rows": pruned.dense_first(rows, "way")}


def tables(results: Mapping[str, Any]) -> list[Table]:
    rows = [
        [
            row["backbone"].rsplit("/", 1)[-1],
            row["split"],
            row["way"],
            _lambda(row) or "–",
            overlap_cell(row["jaccard"], digits=3),
            cell(row["jaccard_chance"], scale=1, digits=3),
            *(cell(row[name]) for name in FIGURES if "paper" not in name),
            cell(row["wrong_mask_drop"]),
        ]
        for row in results["rows"]
    ]
    header = ["backbone", "split", "way", "λ", "mean Jaccard", "by chance", "concept acc.", "macro-F1"]
    header += ["label acc.", "macro-F1", "lost under the wrong mask"]
    return [Table("Overlap and accuracy (accuracies in per cent)", header, rows)]


def draw(results: Mapping[str, Any]) -> go.Figure | None:
    """Accuracy against mean overlap, a point for each λ, written beside it; and what the wrong mask costs."""
    from sparsecbm_core.figures import curves_figure

    figures = (*pruned.ACCURACIES, ("Concept accuracy lost under the wrong mask", "wrong_mask_drop"))
    panels = pruned.panels(results["rows"], "way", "jaccard", figures, mark=_lambda)
    return curves_figure(panels, "mean Jaccard overlap of two subnetworks", "share") if panels else None


def _lambda(row: Mapping[str, Any]) -> str:
    """A row's λ, empty for ways that have none."""
    way = WAYS.get(row["way"])
    return "" if way is None or "exclusivity" in way else f"{row['lambda']:g}"


def _variant(name: str, recipe: Recipe, value: float) -> pruned.Variant:
    return pruned.Variant({"way": name, "lambda": value}, recipe, {"exclusivity": value})


EXPERIMENT = Experiment(
    name="front",
    title="Distinct subnetworks: overlap against accuracy",
    claim=(
        "The paper leaves subnetworks that overlap to later work. Here they are pushed apart step by step, "
        "from the same dense model; a subnetwork is its concept's own where that concept does badly under "
        "another's. The weights of a partition are solved for anew and then train at a rate of 3e-4, those "
        "under a penalty at 1e-4; the partition not called one without has a loss against reading a concept "
        "off another's subnetwork (swap loss) as well, which bears on the last column."
    ),
    options=Options,
    parts=parts,
    unit=pruned.unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

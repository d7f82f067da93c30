"""What distinct subnetworks cost: overlap against accuracy, and whether a subnetwork is its concept's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.experiments import pruned, shown
from sparsecbm_core.experiments.experiment import Results, Row, Table
from sparsecbm_core.experiments.measure import dense_step, scores
from sparsecbm_core.experiments.options import Choice, FromDense, check_names
from sparsecbm_core.experiments.recipes import RECIPES

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.concept_model import ConceptModel

NAME, TITLE = "front", "Distinct subnetworks: overlap against accuracy"
CLAIM = (
    "The paper leaves subnetworks that overlap to later work. Here they are pushed apart step by step, "
    "from the same dense model; a subnetwork is its concept's own where that concept does badly under "
    "another's. The weights of a partition are solved for anew and then train at a rate of 3e-4, those "
    "under a penalty at 1e-4; the partition not called one without has a loss against reading a concept "
    "off another's subnetwork (swap loss) as well, which bears on the last column."
)
unit = dense_step
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


def variants(options: Options) -> list[pruned.Variant]:
    """One pruned model for each way and λ."""
    check_names("way", options.ways, WAYS)
    found, taught = [], RECIPES["taught"]
    for name in options.ways:
        recipe, own = replace(taught, values={**taught.values, **WAYS[name]}), WAYS[name].get("exclusivity")
        for value in options.lambdas if own is None else (own,):
            found.append(pruned.Variant({"way": name, "lambda": value}, recipe, {"exclusivity": value}))
    return found


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


def tables(results: Results) -> list[Table]:
    columns: list[shown.Column] = [
        ("backbone", shown.backbone),
        ("split", "split"),
        ("way", "way"),
        ("λ", lambda row: _lambda(row) or "–"),
        ("mean Jaccard", lambda row: shown.overlap_cell(row["jaccard"], digits=3)),
        ("by chance", shown.mean("jaccard_chance", scale=1, digits=3)),
        *shown.PLAIN_SCORES,
        ("lost under the wrong mask", "wrong_mask_drop"),
    ]
    return [shown.table("Overlap and accuracy (accuracies in per cent)", results["rows"], columns)]


def _lambda(row: Row) -> str:
    """A row's λ, empty for ways that have none."""
    way = WAYS.get(row["way"])
    return "" if way is None or "exclusivity" in way else f"{row['lambda']:g}"


parts = pruned.parts(variants, with_swapped_masks)
summary = pruned.summary("way", ("jaccard_chance", "own_mask", "wrong_mask_drop"))
draw = pruned.draw(
    "way",
    "jaccard",
    "mean Jaccard overlap of two subnetworks",
    "share",
    (*pruned.ACCURACIES, ("Concept accuracy lost under the wrong mask", "wrong_mask_drop")),
    mark=_lambda,
)

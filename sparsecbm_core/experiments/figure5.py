"""Figure 5: accuracy against sparsity, each model pruned from the same dense one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from sparsecbm_core.experiments import pruned
from sparsecbm_core.experiments.measure import dense_step
from sparsecbm_core.experiments.options import Choice, FromDense
from sparsecbm_core.experiments.recipes import sparse_recipe

NAME, TITLE = "figure5", "Figure 5: how sparse a subnetwork can be"
CLAIM = "The paper: accuracy holds over a wide range of sparsity, and excessive pruning costs accuracy."
unit = dense_step
SPARSITIES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Options(FromDense):
    sparsities: Annotated[tuple[float, ...], Choice("Sparsities per concept.")] = SPARSITIES
    recipe: Annotated[str, Choice("Sparse recipe: sparse (the paper's), taught, disjoint or distinct.")] = (
        "sparse"
    )


def variants(options: Options) -> list[pruned.Variant]:
    """One pruned model for each sparsity."""
    recipe = sparse_recipe(options.recipe)
    given = [{"sparsity": s} for s in options.sparsities]
    return [pruned.Variant({"model": options.recipe, **each}, recipe, each) for each in given]


parts = pruned.parts(variants)
summary = pruned.summary("model", order="sparsity")
tables = pruned.tables("Accuracy by sparsity (per cent)", {"model": "model", "sparsity": "sparsity"})
draw = pruned.draw("model", "sparsity")

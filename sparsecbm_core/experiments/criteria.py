"""Does the second-order score earn its cost? Other scores at equal sparsities, from the same dense model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from sparsecbm_core.config import CRITERIA
from sparsecbm_core.experiments import pruned
from sparsecbm_core.experiments.experiment import Labels
from sparsecbm_core.experiments.measure import dense_step
from sparsecbm_core.experiments.options import Choice, FromDense
from sparsecbm_core.experiments.recipes import RECIPES

NAME, TITLE = "criteria", "Which weights to prune"
CLAIM = (
    "The paper prunes by second-order scores. Beside them: the diagonal Fisher information, Wanda, "
    "magnitude, chance, and whole neurons. Weights compete within their matrix, also by Wanda, whose "
    "authors let them compete within a row. Magnitude is the same for every concept and chance is not: "
    "scores also differ in the overlap that they lead to."
)
unit = dense_step


@dataclass(frozen=True)
class Options(FromDense):
    criteria: Annotated[tuple[str, ...], Choice(f"Scores of weights: {', '.join(CRITERIA)}.")] = CRITERIA
    sparsities: Annotated[tuple[float, ...], Choice("Sparsities per concept.")] = (0.5, 0.75, 0.9)


def variants(options: Options) -> list[pruned.Variant]:
    """One pruned model for each score and sparsity; the paper's recipe else."""
    given: list[Labels] = [
        {"criterion": name, "sparsity": s} for name in options.criteria for s in options.sparsities
    ]
    return [pruned.Variant(each, RECIPES["sparse"], each) for each in given]


parts = pruned.parts(variants)
summary = pruned.summary("criterion")
tables = pruned.tables(
    "Accuracy by score and sparsity (per cent)", {"score": "criterion", "sparsity": "sparsity"}
)
draw = pruned.draw("criterion", "sparsity")

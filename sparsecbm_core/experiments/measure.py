"""What experiments measure of a trained model, as plain numbers that another run gives again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments.estimate import Costs, step_seconds
from sparsecbm_core.experiments.experiment import Labels, Part
from sparsecbm_core.experiments.lab import Lab, Run
from sparsecbm_core.experiments.options import Training
from sparsecbm_core.experiments.recipes import RECIPES, Recipe, chosen_settings, settings_of
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    from pathlib import Path

    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.evaluate.report import Evaluation
    from sparsecbm_core.models.concept_model import ConceptModel

Measure = Callable[["ConceptModel", "ReviewDataset"], dict[str, Any]]


def scores(model: ConceptModel, data: ReviewDataset, known: Evaluation | None = None) -> dict[str, Any]:
    """Accuracy, macro-F1 and paper-F1 of concepts and label, leakage, calibration, sparsity, overlap; out of
    what is ``known`` already, if it is."""
    from sparsecbm_core.evaluate.report import evaluate_model

    said = known or evaluate_model(model, data)
    sparsity = None if said.sparsity is None else sum(said.sparsity.values()) / len(said.sparsity)
    return {
        "model": said.model,
        "concept_accuracy": said.concept_accuracy,
        "concept_macro_f1": said.concept_macro_f1,
        "concept_paper_f1": said.paper_f1["concept"],
        "task_accuracy": said.task_accuracy,
        "task_macro_f1": said.task_macro_f1,
        "task_paper_f1": said.paper_f1["task"],
        "per_concept": said.per_concept,
        "leakage": said.leakage,
        "ece": said.ece,
        "sparsity": sparsity,
        "jaccard": None if said.jaccard is None else said.jaccard["mean"],
        "jaccard_chance": None if said.jaccard is None else said.jaccard["chance"],
        "examples": said.examples,
    }


def run_of(
    lab: Lab,
    options: Training,
    recipe: Recipe,
    backbone: str,
    seed: int,
    given: dict[str, Any] | None = None,
    init: Path | None = None,
) -> Run:
    """The run of a recipe; ``init`` in place of the dense model that the recipe would start from."""
    train, dev = lab.splits(options.train_split, options.dev_split)
    if lab.reviews(train).fingerprint() == lab.reviews(dev).fingerprint():
        raise InputError(
            f"train ({train}) and dev ({dev}) are the same reviews: give two splits "
            "(csv: a folder with a file each)"
        )
    chosen = chosen_settings(options.setting, options.epochs)
    start: Run | Path | None = init if recipe.start else None
    if recipe.start and init is None:
        start = run_of(lab, options, RECIPES[recipe.start], backbone, seed)
    return Run(settings_of(recipe, backbone, seed, chosen, given), train, dev, start)


def dense_step(lab: Lab, options: Training) -> float:
    """Seconds that a dense training step takes: a unit of what experiments do that train."""
    return step_seconds(lab, run_of(lab, options, RECIPES["joint"], options.backbone[0], options.seeds[0]))


def measured_splits(lab: Lab, options: Training) -> tuple[str, ...]:
    """The splits to measure on: those named, or the one that chooses the epoch."""
    return options.splits or (lab.splits(options.train_split, options.dev_split)[1],)


def trained_part(
    lab: Lab, costs: Costs, labels: Labels, run: Run, split: str, measure: Measure = scores
) -> Part:
    """A run, trained where it is not there yet, and measured on a split."""
    reviews = lab.reviews(split)

    def go(report: OnWork) -> dict[str, Any]:
        model = lab.model(run, report)
        report(1, 1, f"measuring on {split}")
        return measure(model, reviews)

    settings = {**lab.describe(run), "measured": lab.about(split)}
    return Part(labels, costs.of(run, split), settings, go)

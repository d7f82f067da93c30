"""Accuracy against the number of concepts: the same reviews, learned with the first 2, 4, 6, 8 of them.

Concepts are not equally hard, so that the mean over two is not to be held against the mean over eight. Beside
it stand what saying the most frequent state always would come to, and the mean over the concepts that every
model has, those of the smallest number. The loss adds up over concepts; γ is scaled so that, however many
there are, they weigh as much together as `WEIGHED` of them do by the recipe.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import Costs
from sparsecbm_core.experiments.experiment import Labels, Measured, Part, Results, Row, Table
from sparsecbm_core.experiments.lab import Lab, Run, title_of
from sparsecbm_core.experiments.measure import dense_step, measured_splits, run_of, scores, trained_part
from sparsecbm_core.experiments.options import Choice, Training, check_names
from sparsecbm_core.experiments.recipes import RECIPES
from sparsecbm_core.experiments.some_concepts import SomeConcepts
from sparsecbm_core.experiments.summary import FIGURES, over_seeds, spread

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.concept_model import ConceptModel

NAME, TITLE = "concept-count", "More concepts, fewer concepts"
CLAIM = (
    "An open question: what the number of concepts does to the accuracy of each, and of the label. The "
    "paper uses four of the eight concepts that IMDB-C has. Concepts are not equally hard: means over "
    "different ones are not to be held against each other, only those of the concepts that all models "
    "have. However many there are, they weigh the same together in the loss."
)
unit = dense_step
ALLOWED = [name for name in RECIPES if name != "standard"]  # which has no concepts to count
COMMON, FROM_STATES, FROM_GOLD = "common_accuracy", "label_from_states", "label_from_gold"
MAJORITY = "majority"
OWN = (COMMON, MAJORITY, FROM_STATES, FROM_GOLD, "sparsity", "jaccard")
WEIGHED = 4  # concepts, of the paper's data sets
PANELS = (
    ("All its concepts, which are others at each number", "concept_accuracy"),
    ("The concepts that every model has", COMMON),
    ("Label", "task_accuracy"),
    ("Label from the predicted states alone", FROM_STATES),
)


@dataclass(frozen=True)
class Options(Training):
    counts: Annotated[tuple[int, ...], Choice("Numbers of concepts.")] = (2, 4, 6, 8)
    recipes: Annotated[
        tuple[str, ...], Choice(f"Ways to train: {', '.join(ALLOWED)}. Dense alone by default.")
    ] = ("joint",)
    order: Annotated[
        tuple[str, ...],
        Choice("Concepts in the order they come in; default: the data set's (imdb: all eight of its files)."),
    ] = ()


def parts(lab: Lab, options: Options) -> list[Part]:
    """For each recipe, number of concepts, backbone, split and seed a model, trained and measured."""
    check_names("recipe", options.recipes, ALLOWED)
    order, found = _opened(lab, options), []
    for count in options.counts:
        if not 1 <= count <= len(order):
            raise InputError(f"--counts must be from 1 to {len(order)}, the concepts there are; got {count}")
    for count in dict.fromkeys(options.counts):
        some = SomeConcepts(lab, order[:count])
        costs = Costs(some)
        for name in options.recipes:
            for backbone in options.backbone:
                for split in measured_splits(lab, options):
                    for seed in options.seeds:
                        labels: Labels = {"recipe": name, "concepts": count, "backbone": title_of(backbone)}
                        labels = {**labels, "split": split, "seed": seed}
                        run = _weighed(run_of(some, options, RECIPES[name], backbone, seed), count)
                        found.append(trained_part(some, costs, labels, run, split, _scores))
    return found


def _weighed(run: Run, count: int) -> Run:
    """The run, and those that it starts from, with γ such that ``count`` concepts weigh as `WEIGHED` do."""
    settings = replace(run.settings, gamma=run.settings.gamma * WEIGHED / count)
    start = run.start if run.start is None or isinstance(run.start, Path) else _weighed(run.start, count)
    return replace(run, settings=settings, start=start)


def _scores(model: ConceptModel, data: ReviewDataset) -> dict[str, Any]:
    """The usual figures, and the mean over concepts of what always saying the most frequent state gets."""
    columns = zip(*(example.concepts for example in data), strict=True)
    shares = [Counter(column).most_common(1)[0][1] / len(data) for column in columns]
    return {**scores(model, data), MAJORITY: statistics.mean(shares)}


def _opened(lab: Lab, options: Options) -> tuple[str, ...]:
    """All splits opened with all concepts; returns these in the order they come in."""
    from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS, imdb_space

    space = None
    if lab.dataset == "imdb":
        space = imdb_space(options.order or IMDB_ALL_CONCEPTS)
    train, dev = lab.splits(options.train_split, options.dev_split)
    for split in (train, dev, *measured_splits(lab, options)):
        lab.reviews(split, space)
    known = lab.reviews(train).space.concepts
    check_names("concept", options.order, known)
    return options.order or known


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Mean and deviation over seeds for each recipe and number of concepts, of each concept as well."""
    if not parts:
        return {"rows": [], "common": []}
    by_size = sorted(parts, key=lambda part: int(part.labels["concepts"]))
    first = by_size[0].result["per_concept"]
    common = [name for name in first if all(name in part.result["per_concept"] for part in parts)]
    rows = over_seeds([_with_common(part, common) for part in by_size], (*FIGURES, *OWN))
    for row in rows:
        members = [part.result["per_concept"] for part in by_size if _belongs(part, row)]
        row["per_concept"] = {
            name: spread(values[name]["accuracy"] for values in members) for name in members[0]
        }
    return {"rows": rows, "common": common}


def _with_common(part: Measured, common: Sequence[str]) -> Measured:
    """The part with the figures that its result holds deeper down."""
    per_concept, leakage = part.result["per_concept"], part.result["leakage"] or {}
    mean = statistics.mean(per_concept[name]["accuracy"] for name in common) if common else None
    own = {COMMON: mean, FROM_STATES: leakage.get("hard"), FROM_GOLD: leakage.get("gold")}
    return Measured(part.labels, {**part.result, **own})


def _belongs(part: Measured, row: Row) -> bool:
    return all(row[name] == value for name, value in part.labels.items() if name != "seed")


def tables(results: Results) -> list[Table]:
    """Accuracies by number of concepts, and each concept by itself."""
    lead: list[shown.Column] = [("backbone", shown.backbone)]
    lead += [(name, name) for name in ("split", "recipe", "concepts")]
    columns = [
        *lead,
        ("concept acc.", "concept_accuracy"),
        ("most frequent state", MAJORITY),
        ("macro-F1", "concept_macro_f1"),
        (f"concept acc. of {', '.join(results['common']) or 'none'}", COMMON),
        ("label acc.", "task_accuracy"),
        ("macro-F1", "task_macro_f1"),
        ("label from predicted states", FROM_STATES),
        ("label from a reader's states", FROM_GOLD),
    ]
    names = dict.fromkeys(name for row in results["rows"] for name in row["per_concept"])
    single = [*lead, *((name, _single(name)) for name in names)]
    return [
        shown.table("Accuracy by the number of concepts (per cent)", results["rows"], columns),
        shown.table("Accuracy of each concept (per cent)", results["rows"], single),
    ]


def _single(concept: str) -> Callable[[Row], str]:
    return lambda row: shown.cell(row["per_concept"].get(concept))


def draw(results: Results) -> go.Figure | None:
    """Four panels: concepts, common concepts, label, label from states; a line for each recipe."""
    from sparsecbm_core.figures import Panel, curves_figure

    apart = shown.where(results["rows"])
    groups: dict[str, list[Row]] = {}
    for row in results["rows"]:
        groups.setdefault(RECIPES[row["recipe"]].title + apart(row), []).append(row)
    panels = []
    for title, figure in PANELS:
        curves = [shown.curve(name, rows, "concepts", figure) for name, rows in groups.items()]
        if figure == "concept_accuracy" and groups:
            first = next(iter(groups.values()))
            curves.append(shown.curve("most frequent state", first, "concepts", MAJORITY))
        panels.append(Panel(title, [curve for curve in curves if curve.x]))
    return curves_figure(panels, "number of concepts", "accuracy") if groups else None

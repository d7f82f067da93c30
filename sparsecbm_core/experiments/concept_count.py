"""Accuracy against the number of concepts: the same reviews, learned with the first 2, 4, 6, 8 of them.

Concepts are not equally hard, so that the mean over two is not to be held against the mean over eight. Beside
it stand what saying the most frequent state always would come to, and the mean over the concepts that every
model has, those of the smallest number. The loss adds up over concepts; γ is scaled so that, however many
there are, they weigh as much together as `WEIGHED` of them do by the recipe.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.experiments.estimate import Costs, step_seconds
from sparsecbm_core.experiments.experiment import Experiment, Labels, Measured, Part, Table
from sparsecbm_core.experiments.lab import title_of
from sparsecbm_core.experiments.measure import measured_splits, run_of, scores, trained_part
from sparsecbm_core.experiments.options import Choice, Training
from sparsecbm_core.experiments.recipes import RECIPES
from sparsecbm_core.experiments.some_concepts import SomeConcepts
from sparsecbm_core.experiments.summary import FIGURES, cell, over_seeds, spread

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.experiments.lab import Lab, Run
    from sparsecbm_core.figures import Curve
    from sparsecbm_core.models.concept_model import ConceptModel

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
    for name in options.recipes:
        if name not in ALLOWED:
            raise InputError(one_of(name, ALLOWED, "recipe"))
    order = _opened(lab, options)
    for count in options.counts:
        if not 1 <= count <= len(order):
            raise InputError(f"--counts must be from 1 to {len(order)}, the concepts there are; got {count}")
    found = []
    for count in dict.fromkeys(options.counts):
        some = SomeConcepts(lab, order[:count])
        costs = Costs(some)
        for name in options.recipes:
            for backbone in options.backbone:
                for split in measured_splits(lab, options):
                    for seed in options.seeds:
                        labels: Labels = {
                            "recipe": name,
                            "concepts": count,
                            "backbone": title_of(backbone),
                            "split": split,
                            "seed": seed,
                        }
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
    for name in options.order:
        if name not in known:
            raise InputError(one_of(name, known, "concept"))
    return options.order or known


def unit(lab: Lab, options: Options) -> float:
    """A dense training step, with as many concepts as there are."""
    return step_seconds(lab, run_of(lab, options, RECIPES["joint"], options.backbone[0], options.seeds[0]))


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


def _belongs(part: Measured, row: Mapping[str, Any]) -> bool:
    return all(row[name] == value for name, value in part.labels.items() if name != "seed")


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Accuracies by number of concepts, and each concept by itself."""
    rows, single = [], []
    names = list(dict.fromkeys(name for row in results["rows"] for name in row["per_concept"]))
    for row in results["rows"]:
        first = [row["backbone"].rsplit("/", 1)[-1], row["split"], row["recipe"], f"{row['concepts']:g}"]
        figures = ("concept_accuracy", MAJORITY, "concept_macro_f1", COMMON, "task_accuracy", "task_macro_f1")
        rows.append([*first, *(cell(row[name]) for name in (*figures, FROM_STATES, FROM_GOLD))])
        single.append([*first, *(cell(row["per_concept"].get(name)) for name in names)])
    lead = ["backbone", "split", "recipe", "concepts"]
    header = [
        *lead,
        "concept acc.",
        "most frequent state",
        "macro-F1",
        f"concept acc. of {', '.join(results['common']) or 'none'}",
    ]
    header += ["label acc.", "macro-F1", "label from predicted states", "label from a reader's states"]
    return [
        Table("Accuracy by the number of concepts (per cent)", header, rows),
        Table("Accuracy of each concept (per cent)", [*lead, *names], single),
    ]


def draw(results: Mapping[str, Any]) -> go.Figure | None:
    """Four panels: concepts, common concepts, label, label from states; a line for each recipe."""
    from sparsecbm_core.figures import Panel, curves_figure

    many = len({(row["backbone"], row["split"]) for row in results["rows"]}) > 1
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in results["rows"]:
        where = f" ({row['backbone'].rsplit('/', 1)[-1]}, {row['split']})" if many else ""
        groups.setdefault(RECIPES[row["recipe"]].title + where, []).append(row)
    panels = []
    for title, figure in PANELS:
        curves = [_curve(name, rows, figure) for name, rows in groups.items()]
        if figure == "concept_accuracy" and groups:
            curves.append(_curve("most frequent state", next(iter(groups.values())), MAJORITY))
        panels.append(Panel(title, [curve for curve in curves if curve.x]))
    return curves_figure(panels, "number of concepts", "accuracy") if groups else None


def _curve(name: str, rows: Sequence[Mapping[str, Any]], figure: str) -> Curve:
    from sparsecbm_core.figures import Curve

    known = sorted((row for row in rows if row[figure]), key=lambda row: row["concepts"])
    means = [row[figure]["mean"] for row in known]
    return Curve(name, [row["concepts"] for row in known], means, [row[figure]["std"] for row in known])


EXPERIMENT = Experiment(
    name="concept-count",
    title="More concepts, fewer concepts",
    claim=(
        "An open question: what the number of concepts does to the accuracy of each, and of the label. The "
        "paper uses four of the eight concepts that IMDB-C has. Concepts are not equally hard: means over "
        "different ones are not to be held against each other, only those of the concepts that all models "
        "have. However many there are, they weigh the same together in the loss."
    ),
    options=Options,
    parts=parts,
    unit=unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

"""What the experiments share that prune one dense model in many ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments.estimate import Costs, step_seconds
from sparsecbm_core.experiments.experiment import Labels, Part, Table
from sparsecbm_core.experiments.lab import describe_model, title_of
from sparsecbm_core.experiments.measure import Measure, measured_splits, run_of, scores, trained_part
from sparsecbm_core.experiments.options import FromDense
from sparsecbm_core.experiments.recipes import RECIPES, WHOLE, Recipe
from sparsecbm_core.experiments.summary import FIGURES, cell, mean_of, overlap_cell, std_of

if TYPE_CHECKING:
    from sparsecbm_core.experiments.lab import Lab
    from sparsecbm_core.figures import Panel

DENSE = "dense"
SPARSITY = "sparsity of each subnetwork (of the encoder's linear weights)"
ACCURACIES = (("Concepts", "concept_accuracy"), ("Label", "task_accuracy"))


@dataclass(frozen=True)
class Variant:
    """One way to prune: what its part is called, the recipe, and the settings that make the variant."""

    labels: Labels
    recipe: Recipe
    given: Mapping[str, Any]


def dense_and_pruned(
    lab: Lab, options: FromDense, variants: Sequence[Variant], measure: Measure = scores
) -> list[Part]:
    """For each backbone, seed and split the dense models that the variants start from, then the variants.

    Behind the dense models stands one that was trained on as the first variant is, with all its weights: what
    it lost or won against the dense one is not the masks' doing. The labels of such models are those of a
    variant with the first one "dense" and numbers 0.
    """
    return list(_parts(lab, options, variants, measure))


def unit(lab: Lab, options: FromDense) -> float:
    """A dense training step."""
    return step_seconds(lab, run_of(lab, options, RECIPES["joint"], options.backbone[0], options.seeds[0]))


def _parts(lab: Lab, options: FromDense, variants: Sequence[Variant], measure: Measure) -> Iterator[Part]:
    if not variants:
        raise InputError("there is nothing to prune; name at least one way")
    costs, init = Costs(lab), options.init
    starts = dict.fromkeys(variant.recipe.start for variant in variants if variant.recipe.start)
    for backbone in options.backbone:
        for seed in options.seeds:
            for split in measured_splits(lab, options):
                ends: Labels = {"backbone": title_of(backbone), "split": split, "seed": seed}
                if init is not None:
                    labels = _dense(variants[0].labels, Path(init).name)
                    yield _given_dense(lab, {**labels, **ends}, init, split)
                else:
                    for name in starts:
                        labels = _dense(variants[0].labels, name)
                        run = run_of(lab, options, RECIPES[name], backbone, seed)
                        yield trained_part(lab, costs, {**labels, **ends}, run, split)
                recipe = variants[0].recipe
                origin = recipe.start if init is None else Path(init).name
                labels = _dense(variants[0].labels, f"{origin}, trained on")
                run = run_of(lab, options, recipe, backbone, seed, dict(WHOLE), init)
                yield trained_part(lab, costs, {**labels, **ends}, run, split)
                for variant in variants:
                    run = run_of(lab, options, variant.recipe, backbone, seed, dict(variant.given), init)
                    yield trained_part(lab, costs, {**variant.labels, **ends}, run, split, measure)


def _dense(labels: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Labels of the same names as a variant's, so that both stand in one table."""
    first, *rest = labels
    return {first: f"{DENSE} ({name})", **dict.fromkeys(rest, 0.0)}


def _given_dense(lab: Lab, labels: Labels, init: Path, split: str) -> Part:
    """The dense model that was given, measured as it is."""
    from sparsecbm_core.models.concept_model import ConceptModel

    def go(report: Any) -> dict[str, Any]:
        return scores(ConceptModel.from_pretrained(init, lab.device), lab.reviews(split))

    return Part(labels, 5, {"start": describe_model(init), "measured": lab.about(split)}, go)


def dense_first(rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Rows of dense models before the others, which stay in their order."""
    return sorted(rows, key=lambda row: not is_dense(row, name))


def is_dense(row: Mapping[str, Any], name: str) -> bool:
    """Whether a row is a dense model's, by its first label."""
    return str(row[name]).startswith(DENSE)


def accuracies(title: str, rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> Table:
    """Figures of every row behind its backbone, split and ``labels``: label by the heading of its column."""
    header = ["backbone", "split", *labels, "concept acc.", "macro-F1", "label acc.", "macro-F1", "Jaccard"]
    cells = [
        [
            row["backbone"].rsplit("/", 1)[-1],
            row["split"],
            *(_written(row[name]) for name in labels.values()),
            *(cell(row[name]) for name in FIGURES if "paper" not in name),
            overlap_cell(row["jaccard"]),
        ]
        for row in rows
    ]
    return Table(title, header, cells)


def _written(value: str | float) -> str:
    return value.replace("_", "-") if isinstance(value, str) else f"{value:g}"


def panels(
    rows: Sequence[Mapping[str, Any]],
    key: str,
    x: str,
    figures: Sequence[tuple[str, str]] = ACCURACIES,
    mark: Callable[[Mapping[str, Any]], str] | None = None,
) -> list[Panel]:
    """A panel for each (title, figure): a curve for each value of the label ``key``, dense models as levels.

    ``x`` is a label or a figure of the rows; ``mark`` gives what is written at a row's point. Empty
    where nothing was pruned yet.
    """
    from sparsecbm_core.figures import Curve, Level, Panel

    many = len({(row["backbone"], row["split"]) for row in rows}) > 1
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        name = str(row[key]).replace("_", "-")
        where = f" ({row['backbone'].rsplit('/', 1)[-1]}, {row['split']})" if many else ""
        groups.setdefault(name + where, []).append(row)
    sparse = {name: own for name, own in groups.items() if not is_dense(own[0], key)}
    dense = {name: own[0] for name, own in groups.items() if is_dense(own[0], key)}

    def curve(name: str, figure: str) -> Curve:
        known = sorted((row for row in sparse[name] if row[figure] and row[x] is not None), key=_dose(x))
        texts = [] if mark is None else list(map(mark, known))
        means = [row[figure]["mean"] for row in known]
        return Curve(name, list(map(_dose(x), known)), means, [std_of(row, figure) for row in known], texts)

    def levels(figure: str) -> list[Level]:
        means = {name: mean_of(row, figure) for name, row in dense.items()}
        return [Level(name, mean) for name, mean in means.items() if mean is not None]

    if not sparse:
        return []
    return [
        Panel(title, [curve(name, figure) for name in sparse], levels(figure)) for title, figure in figures
    ]


def _dose(x: str) -> Callable[[Mapping[str, Any]], float]:
    return lambda row: row[x]["mean"] if isinstance(row[x], Mapping) else row[x]

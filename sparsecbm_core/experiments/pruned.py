"""What the experiments share that prune one dense model in many ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import Costs
from sparsecbm_core.experiments.experiment import Labels, Measured, Part, Results, Row, Table
from sparsecbm_core.experiments.lab import Lab, describe_model, title_of
from sparsecbm_core.experiments.measure import Measure, measured_splits, run_of, scores, trained_part
from sparsecbm_core.experiments.options import FromDense
from sparsecbm_core.experiments.recipes import RECIPES, WHOLE, Recipe
from sparsecbm_core.experiments.summary import FIGURES, over_seeds

if TYPE_CHECKING:
    import plotly.graph_objects as go

DENSE = "dense"
SPARSITY = "sparsity of each subnetwork (of the encoder's linear weights)"
ACCURACIES = (("Concepts", "concept_accuracy"), ("Label", "task_accuracy"))


@dataclass(frozen=True)
class Variant:
    """One way to prune: what its part is called, the recipe, and the settings that make the variant."""

    labels: Labels
    recipe: Recipe
    given: Mapping[str, Any]


def parts(
    variants: Callable[[Any], Sequence[Variant]], measure: Measure = scores
) -> Callable[[Lab, Any], list[Part]]:
    """For each backbone, seed and split the dense models that the variants start from, then the variants.

    Behind the dense models stands one that was trained on as the first variant is, with all its weights: what
    it lost or won against the dense one is not the masks' doing. The labels of such models are those of a
    variant with the first one "dense" and numbers 0.
    """
    return lambda lab, options: list(_parts(lab, options, variants(options), measure))


def _parts(lab: Lab, options: FromDense, variants: Sequence[Variant], measure: Measure) -> Iterator[Part]:
    if not variants:
        raise InputError("there is nothing to prune; name at least one way")
    costs, init, first = Costs(lab), options.init, variants[0]
    starts = dict.fromkeys(variant.recipe.start for variant in variants if variant.recipe.start)
    for backbone in options.backbone:
        for seed in options.seeds:
            for split in measured_splits(lab, options):
                ends: Labels = {"backbone": title_of(backbone), "split": split, "seed": seed}
                if init is not None:
                    yield _given_dense(lab, {**_dense(first.labels, Path(init).name), **ends}, init, split)
                else:
                    for name in starts:
                        run = run_of(lab, options, RECIPES[name], backbone, seed)
                        yield trained_part(lab, costs, {**_dense(first.labels, name), **ends}, run, split)
                origin = first.recipe.start if init is None else Path(init).name
                run = run_of(lab, options, first.recipe, backbone, seed, dict(WHOLE), init)
                labels = _dense(first.labels, f"{origin}, trained on")
                yield trained_part(lab, costs, {**labels, **ends}, run, split)
                for variant in variants:
                    run = run_of(lab, options, variant.recipe, backbone, seed, dict(variant.given), init)
                    yield trained_part(lab, costs, {**variant.labels, **ends}, run, split, measure)


def _dense(labels: Labels, name: str) -> dict[str, Any]:
    """Labels of the same names as a variant's, so that both stand in one table."""
    first, *rest = labels
    return {first: f"{DENSE} ({name})", **dict.fromkeys(rest, 0.0)}


def _given_dense(lab: Lab, labels: Labels, init: Path, split: str) -> Part:
    """The dense model that was given, measured as it is."""
    settings = {"start": describe_model(init), "measured": lab.about(split)}
    return Part(labels, 5, settings, lambda _: scores(lab.load(init), lab.reviews(split)))


def summary(
    key: str, figures: Sequence[str] = (), order: str | None = None
) -> Callable[[Sequence[Measured]], dict[str, Any]]:
    """Mean and deviation over seeds of the usual and further ``figures``: dense models first, by the label
    ``key``; the others in their order, or by that of the label ``order``."""

    def rows(parts: Sequence[Measured]) -> dict[str, Any]:
        found = over_seeds(parts, (*FIGURES, "jaccard", *figures))
        return {"rows": sorted(found, key=lambda row: row[order] if order else not _is_dense(row, key))}

    return rows


def _is_dense(row: Row, key: str) -> bool:
    return str(row[key]).startswith(DENSE)


def tables(title: str, labels: Mapping[str, str]) -> Callable[[Results], list[Table]]:
    """Figures of every row behind its backbone, split and ``labels``: label by the heading of its column."""
    columns: list[shown.Column] = [
        ("backbone", shown.backbone),
        ("split", "split"),
        *((heading, _written(label)) for heading, label in labels.items()),
        *shown.PLAIN_SCORES,
        ("Jaccard", lambda row: shown.overlap_cell(row["jaccard"])),
    ]
    return lambda results: [shown.table(title, results["rows"], columns)]


def _written(label: str) -> Callable[[Row], str]:
    return lambda row: row[label].replace("_", "-") if isinstance(row[label], str) else f"{row[label]:g}"


def draw(
    key: str,
    x: str,
    x_title: str = SPARSITY,
    y_title: str = "accuracy",
    figures: Sequence[tuple[str, str]] = ACCURACIES,
    mark: Callable[[Row], str] | None = None,
) -> Callable[[Results], go.Figure | None]:
    """A panel for each (title, figure): a curve for each value of the label ``key``, dense models as levels.

    ``x`` is a label or a figure of the rows; ``mark`` gives what is written at a row's point. Nothing is
    drawn while nothing was pruned yet.
    """

    def drawn(results: Results) -> go.Figure | None:
        from sparsecbm_core.figures import Level, Panel, curves_figure

        apart = shown.where(results["rows"])
        groups: dict[str, list[Row]] = {}
        for row in results["rows"]:
            groups.setdefault(str(row[key]).replace("_", "-") + apart(row), []).append(row)
        sparse = {name: own for name, own in groups.items() if not _is_dense(own[0], key)}
        dense = {name: own[0] for name, own in groups.items() if name not in sparse}
        panels = []
        for title, figure in figures:
            curves = [shown.curve(name, own, x, figure, mark) for name, own in sparse.items()]
            means = {name: shown.mean_of(row, figure) for name, row in dense.items()}
            levels = [Level(name, mean) for name, mean in means.items() if mean is not None]
            panels.append(Panel(title, curves, levels))
        return curves_figure(panels, x_title, y_title) if sparse else None

    return drawn

"""Table 2: what interpretability costs, from plain fine-tuning to distinct sparse subnetworks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.experiments.estimate import Costs, step_seconds
from sparsecbm_core.experiments.experiment import Experiment, Labels, Measured, Part, Table
from sparsecbm_core.experiments.lab import title_of
from sparsecbm_core.experiments.measure import measured_splits, run_of, trained_part
from sparsecbm_core.experiments.options import Choice, Training
from sparsecbm_core.experiments.published import TABLE2, PublishedRow, published_row
from sparsecbm_core.experiments.recipes import RECIPES
from sparsecbm_core.experiments.summary import FIGURES, cell, mean_of, over_seeds, overlap_cell, std_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.lab import Lab

# Our rows, and the row of the paper that each corresponds to.
ROWS = {
    "standard": "standard",
    "joint": "CBM",
    "sequential": "",
    "independent": "",
    "continued": "",
    "sparse": "SparseCBM",
    "distinct": "",
}


@dataclass(frozen=True)
class Options(Training):
    seeds: Annotated[tuple[int, ...], Choice("One run each of every row.")] = (0, 1, 2)
    rows: Annotated[tuple[str, ...], Choice(f"Recipes to train: {', '.join(RECIPES)}.")] = tuple(ROWS)


def parts(lab: Lab, options: Options) -> list[Part]:
    """A trained model and its scores on one split, for each backbone, row, seed and split."""
    for row in options.rows:
        if row not in RECIPES:
            raise InputError(one_of(row, RECIPES, "row"))
    costs, found = Costs(lab), []
    for backbone in options.backbone:
        for seed in options.seeds:
            for row in options.rows:
                run = run_of(lab, options, RECIPES[row], backbone, seed)
                for split in measured_splits(lab, options):
                    labels: Labels = {
                        "dataset": lab.dataset,
                        "backbone": title_of(backbone),
                        "row": row,
                        "split": split,
                        "seed": seed,
                    }
                    found.append(trained_part(lab, costs, labels, run, split))
    return found


def unit(lab: Lab, options: Options) -> float:
    """A dense training step."""
    return step_seconds(lab, run_of(lab, options, RECIPES["joint"], options.backbone[0], options.seeds[0]))


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Mean and deviation over seeds of every figure, by backbone, row and split, published rows beside."""
    rows = over_seeds(parts, (*FIGURES, "ece", "jaccard"))
    for row in rows:
        published = published_row(row["dataset"], row["backbone"], ROWS.get(row["row"], ""))
        row["published"] = None if published is None else _cells(published)
    order = list(RECIPES)
    rows.sort(key=lambda row: (row["backbone"], row["split"], order.index(row["row"])))
    return {"rows": rows}


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Ours, and the paper's own."""
    ours = [
        [
            row["backbone"].rsplit("/", 1)[-1],
            RECIPES[row["row"]].title,
            row["split"],
            str(len(row["seeds"])),
            *(cell(row[name]) for name in FIGURES),
            overlap_cell(row["jaccard"]),
            _published(row["published"], "concept"),
            _published(row["published"], "task"),
        ]
        for row in results["rows"]
    ]
    header = ["backbone", "model", "split", "seeds", "concept acc.", "macro-F1", "paper-F1"]
    header += ["label acc.", "macro-F1", "paper-F1", "Jaccard", "concept, published", "label, published"]
    found = [Table("Measured here (mean ± standard deviation over seeds, per cent)", header, ours)]
    for dataset in dict.fromkeys(row["dataset"] for row in results["rows"]):
        published = [
            [row.backbone, row.model, _published(_cells(row), "concept"), _published(_cells(row), "task")]
            for row in TABLE2.get(dataset, ())
        ]
        if published:
            title = "Published, on the test split (accuracy / paper-F1, per cent)"
            found.append(Table(title, ["backbone", "model", "concept", "label"], published))
    return found


def draw(results: Mapping[str, Any]) -> go.Figure:
    """Concept and label accuracy of every row."""
    from sparsecbm_core.figures import Dots, dots_figure

    rows = results["rows"]
    several = len({(row["backbone"], row["split"]) for row in rows}) > 1
    titles = [
        RECIPES[row["row"]].title
        + (f" ({row['backbone'].rsplit('/', 1)[-1]}, {row['split']})" if several else "")
        for row in rows
    ]
    series = [
        Dots(title, [mean_of(row, name) for row in rows], [std_of(row, name) for row in rows])
        for title, name in (("Concepts", "concept_accuracy"), ("Label", "task_accuracy"))
    ]
    return dots_figure(titles, series, "accuracy")


def _cells(row: PublishedRow) -> dict[str, Any]:
    return {
        name: None if values is None else {"accuracy": values[0], "paper_f1": values[1]}
        for name, values in (("concept", row.concept), ("task", row.task))
    }


def _published(cells: Mapping[str, Any] | None, name: str) -> str:
    values = None if cells is None else cells[name]
    return "–" if values is None else f"{values['accuracy']} / {values['paper_f1']}"


EXPERIMENT = Experiment(
    name="table2",
    title="Table 2: accuracy and interpretability",
    claim=(
        "The paper: sparse subnetworks match or beat the dense concept bottleneck, and both cost little "
        "against fine-tuning on the label alone. A SparseCBM goes on from a dense model, with more weight on "
        "the concepts; the row of a CBM that is trained on in the same way, with all its weights, tells what "
        "of the difference is the masks' doing."
    ),
    options=Options,
    parts=parts,
    unit=unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

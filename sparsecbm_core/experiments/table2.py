"""Table 2: what interpretability costs, from plain fine-tuning to distinct sparse subnetworks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import Costs
from sparsecbm_core.experiments.experiment import Labels, Measured, Part, Results, Row, Table
from sparsecbm_core.experiments.lab import Lab, title_of
from sparsecbm_core.experiments.measure import dense_step, measured_splits, run_of, trained_part
from sparsecbm_core.experiments.options import Choice, Training, check_names
from sparsecbm_core.experiments.published import TABLE2, PublishedRow, published_row
from sparsecbm_core.experiments.recipes import RECIPES
from sparsecbm_core.experiments.summary import FIGURES, over_seeds

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAME, TITLE = "table2", "Table 2: accuracy and interpretability"
CLAIM = (
    "The paper: sparse subnetworks match or beat the dense concept bottleneck, and both cost little "
    "against fine-tuning on the label alone. A SparseCBM goes on from a dense model, with more weight on "
    "the concepts; the row of a CBM that is trained on in the same way, with all its weights, tells what "
    "of the difference is the masks' doing."
)
unit = dense_step
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
    check_names("row", options.rows, RECIPES)
    costs, found = Costs(lab), []
    for name in options.backbone:
        for seed in options.seeds:
            for row in options.rows:
                run = run_of(lab, options, RECIPES[row], name, seed)
                for split in measured_splits(lab, options):
                    labels: Labels = {"dataset": lab.dataset, "backbone": title_of(name), "row": row}
                    labels = {**labels, "split": split, "seed": seed}
                    found.append(trained_part(lab, costs, labels, run, split))
    return found


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Mean and deviation over seeds of every figure, by backbone, row and split, published rows beside."""
    rows = over_seeds(parts, (*FIGURES, "ece", "jaccard"))
    for row in rows:
        published = published_row(row["dataset"], row["backbone"], ROWS.get(row["row"], ""))
        row["published"] = None if published is None else _cells(published)
    order = list(RECIPES)
    rows.sort(key=lambda row: (row["backbone"], row["split"], order.index(row["row"])))
    return {"rows": rows}


def tables(results: Results) -> list[Table]:
    """Ours, and the paper's own."""
    columns: list[shown.Column] = [
        ("backbone", shown.backbone),
        ("model", lambda row: RECIPES[row["row"]].title),
        ("split", "split"),
        ("seeds", lambda row: str(len(row["seeds"]))),
        *shown.SCORES,
        ("Jaccard", lambda row: shown.overlap_cell(row["jaccard"])),
        ("concept, published", lambda row: _published(row["published"], "concept")),
        ("label, published", lambda row: _published(row["published"], "task")),
    ]
    title = "Measured here (mean ± standard deviation over seeds, per cent)"
    found = [shown.table(title, results["rows"], columns)]
    for dataset in dict.fromkeys(row["dataset"] for row in results["rows"]):
        published = [
            [row.backbone, row.model, _published(_cells(row), "concept"), _published(_cells(row), "task")]
            for row in TABLE2.get(dataset, ())
        ]
        if published:
            title = "Published, on the test split (accuracy / paper-F1, per cent)"
            found.append(Table(title, ["backbone", "model", "concept", "label"], published))
    return found


def draw(results: Results) -> go.Figure:
    """Concept and label accuracy of every row."""
    from sparsecbm_core.figures import Dots, dots_figure

    rows, apart = results["rows"], shown.where(results["rows"])
    series = [
        Dots(title, [shown.mean_of(row, name) for row in rows], [shown.std_of(row, name) for row in rows])
        for title, name in (("Concepts", "concept_accuracy"), ("Label", "task_accuracy"))
    ]
    return dots_figure([RECIPES[row["row"]].title + apart(row) for row in rows], series, "accuracy")


def _cells(row: PublishedRow) -> dict[str, Any]:
    return {
        name: None if values is None else {"accuracy": values[0], "paper_f1": values[1]}
        for name, values in (("concept", row.concept), ("task", row.task))
    }


def _published(cells: Row | None, name: str) -> str:
    values = None if cells is None else cells[name]
    return "–" if values is None else f"{values['accuracy']} / {values['paper_f1']}"

"""How true the last step of the pathway is, by the head that stands between concepts and label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import Costs
from sparsecbm_core.experiments.experiment import Labels, Measured, Part, Results, Table
from sparsecbm_core.experiments.lab import Lab, title_of
from sparsecbm_core.experiments.measure import dense_step, measured_splits, run_of, scores, trained_part
from sparsecbm_core.experiments.options import Choice, Training, check_names
from sparsecbm_core.experiments.recipes import RECIPES
from sparsecbm_core.experiments.summary import over_seeds

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.concept_model import ConceptModel

NAME, TITLE = "honesty", "Is the last step true? Heads and what carries the label"
CLAIM = (
    "With sigmoid activations of all states and a free linear head (the paper's) the label is read off the "
    "shades of concepts that a review does not mention, an edit of one concept moves the others more than "
    "itself, and setting wrong concepts right makes the label worse. With the honest head a concept speaks "
    "only through the state it is read as; each row without one ingredient says what that one brings."
)
unit = dense_step
# The honest head of the recipe "honest", but for one setting.
HEADS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"head": "paper"},
    "honest": {},
    "honest without locality": {"locality": 0.0},
    "honest without interventions": {"interventions": 0.0},
    "honest, states learned from the label too": {"task_on_states": 1.0},
    "honest without the rest": {"rest": "none"},
    "honest, the rest not on top": {"rest": "joint"},
    "honest, the rest at no cost": {"rest_penalty": 0.0},
    "honest, majority states alone": {"soft_concepts": 0.0},
}
FIGURES = ("unmentioned_share", "sign_agreement", "locality", "own_effect", "rest_share", "leak")
LABELS = ("as_read", "concepts_only", "wrong_set_right", "all_gold")
EFFECTS = ("one_hot", "own_path")


@dataclass(frozen=True)
class Options(Training):
    seeds: Annotated[tuple[int, ...], Choice("One run each of every head.")] = (0, 1, 2)
    heads: Annotated[tuple[str, ...], Choice(f"Heads to train: {'; '.join(HEADS)}.")] = tuple(HEADS)


def parts(lab: Lab, options: Options) -> list[Part]:
    """A dense model and its figures on one split, for each backbone, head, seed and split."""
    check_names("head", options.heads, HEADS)
    costs, found, honest = Costs(lab), [], RECIPES["honest"]
    for name in options.backbone:
        for seed in options.seeds:
            for head in options.heads:
                recipe = replace(honest, values={**honest.values, **HEADS[head]})
                run = run_of(lab, options, recipe, name, seed)
                for split in measured_splits(lab, options):
                    labels: Labels = {"backbone": title_of(name), "head": head, "split": split, "seed": seed}
                    found.append(trained_part(lab, costs, labels, run, split, with_pathway))
    return found


def with_pathway(model: ConceptModel, data: ReviewDataset) -> dict[str, Any]:
    """The usual figures, and those of `evaluate.pathway`, flat."""
    from sparsecbm_core.evaluate.report import evaluate_model

    said = evaluate_model(model, data)
    found = said.pathway or {}
    leaks = [item["read"] - item["most_frequent"] for item in found.get("leak", {}).values()]
    return {
        **scores(model, data, said),
        **{name: found.get(name) for name in FIGURES if name != "leak"},
        "leak": sum(leaks) / len(leaks) if leaks else None,
        **{f"label_{name}": found.get("label_accuracy", {}).get(name) for name in LABELS},
        **{f"icace_{name}": (found.get("icace") or {}).get(name) for name in EFFECTS},
        "pathway": found,
    }


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Mean and deviation over seeds, heads in their order."""
    names = (
        "concept_accuracy",
        "concept_macro_f1",
        *FIGURES,
        *(f"label_{name}" for name in LABELS),
        *(f"icace_{name}" for name in EFFECTS),
    )
    rows, order = over_seeds(parts, names), list(HEADS)
    return {"rows": sorted(rows, key=lambda row: (row["backbone"], row["split"], order.index(row["head"])))}


def tables(results: Results) -> list[Table]:
    """What carries the label, and what happens to it where concepts are set."""
    first: list[shown.Column] = [
        ("backbone", shown.backbone),
        ("head", "head"),
        ("split", "split"),
        ("seeds", lambda row: str(len(row["seeds"]))),
    ]
    carried: list[shown.Column] = [
        *first,
        ("concept acc.", "concept_accuracy"),
        ("not mentioned", "unmentioned_share"),
        ("sign agrees", "sign_agreement"),
        ("rest", "rest_share"),
        ("locality", shown.mean("locality", scale=1, digits=2)),
        ("own effect", shown.mean("own_effect", scale=1, digits=2)),
        ("leak", "leak"),
    ]
    labels: list[shown.Column] = [
        *first,
        ("as read", "label_as_read"),
        ("without the rest", "label_concepts_only"),
        ("wrong set right", "label_wrong_set_right"),
        ("all gold", "label_all_gold"),
        ("ICaCE one-hot", shown.mean("icace_one_hot", scale=1, digits=3)),
        ("own path", shown.mean("icace_own_path", scale=1, digits=3)),
    ]
    rows = results["rows"]
    return [
        shown.table(
            "What carries the label (per cent; locality is a share whose chance is 1/K, own effect in the "
            "label's units, leak in points above the most frequent label)",
            rows,
            carried,
        ),
        shown.table("Label accuracy with concepts set (per cent), and ICaCE-Error (L2)", rows, labels),
    ]


def draw(results: Results) -> go.Figure:
    """Label accuracy, locality and what unmentioned concepts carry, of every head."""
    from sparsecbm_core.figures import Dots, dots_figure

    rows, apart = results["rows"], shown.where(results["rows"])
    series = [
        Dots(title, [shown.mean_of(row, name) for row in rows], [shown.std_of(row, name) for row in rows])
        for title, name in (
            ("Label, as read", "label_as_read"),
            ("Label, wrong concepts set right", "label_wrong_set_right"),
            ("Locality", "locality"),
            ("Carried by what is not mentioned", "unmentioned_share"),
        )
    ]
    return dots_figure([row["head"] + apart(row) for row in rows], series, "share")

"""How well corrections work, rule by rule: reached, side effects, generalisation, and chains of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import correction_seconds
from sparsecbm_core.experiments.experiment import Measured, Part, Results, Table
from sparsecbm_core.experiments.lab import Lab, measured_model
from sparsecbm_core.experiments.options import BUNDLED, Choice, check_names, chosen
from sparsecbm_core.intervene.rules import ALL_RULES
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAME, TITLE = "interventions", "Corrections, rule by rule"
CLAIM = (
    "The paper: a correction by its rule, at 1 % of the weights, mends a misread concept and leaves the "
    "rest. Measured for it and for others: reached, side effects, other edits of the same review, chains."
)
unit = correction_seconds
RULES = ("oracle", *(name for name in ALL_RULES if name != "oracle"))
GUARD_COST = 2.0  # corrections that a report on the guard reviews and the siblings takes as long as
CHAIN_COST = 4.0  # a protected one in a chain
READ_COST = 0.02  # reading a review to see what is wrong in it
LENGTHS = (1, 10, 50, 100)


@dataclass(frozen=True)
class Options:
    model: Annotated[Path, Choice("SparseCBM checkpoint to correct.")] = BUNDLED
    split: Annotated[str, Choice("Split to take wrong and guard reviews from.")] = "dev"
    rules: Annotated[tuple[str, ...], Choice(f"Rules of correction: {', '.join(RULES)}.")] = RULES
    limit: Annotated[int, Choice("Wrong (review, concept) pairs to correct.")] = 100
    guard: Annotated[int, Choice("Reviews that measure side effects.")] = 200
    profile: Annotated[int, Choice("Further reviews that set the guard profile.")] = 150
    sequential: Annotated[tuple[int, ...], Choice("Figures of a chain after so many corrections.")] = LENGTHS
    protect: Annotated[bool, Choice("Let guarded spare profile reviews, and earlier corrections.")] = True
    seeds: Annotated[tuple[int, ...], Choice("Which reviews are which, and their order.")] = (0,)


def parts(lab: Lab, options: Options) -> list[Part]:
    """One rule and seed each, single corrections and chain together."""
    check_names("rule", options.rules, ALL_RULES)
    settings = measured_model(lab, options.model, options.split)
    settings |= chosen(options, "limit", "guard", "profile", "sequential", "protect")
    cost = options.limit * (1 + GUARD_COST) + max(options.sequential, default=0) * CHAIN_COST
    cost += READ_COST * len(lab.reviews(options.split))
    return [
        Part({"rule": rule, "seed": seed}, cost, settings, partial(measure, lab, options, rule, seed))
        for seed in options.seeds
        for rule in options.rules
    ]


def measure(lab: Lab, options: Options, rule: str, seed: int, report: OnWork) -> dict[str, Any]:
    from sparsecbm_core.evaluate.interventions import run_evaluation

    model = lab.load(options.model)
    result = run_evaluation(
        model,
        lab.reviews(options.split, model.space),
        [rule],
        **chosen(options, "limit", "guard", "profile", "sequential", "protect"),
        seed=seed,
        on_progress=report,
    )
    chain = [asdict(figures) for figures in result.sequential.get(rule, ())]
    return {**asdict(result.rules[rule]), "chain": chain}


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """The figures as they were measured, one row a rule and seed."""
    return {"rows": [{**part.labels, **part.result} for part in parts]}


def tables(results: Results) -> list[Table]:
    """Single corrections, and chains."""
    one, name = shown.single, [("rule", "rule"), ("seed", "seed")]
    single: list[shown.Column] = [
        *name,
        ("pairs", "pairs"),
        ("right when it comes again", one("efficacy", 0)),
        ("weights flipped, median", lambda row: f"{100 * row['weights_flipped_median']:.2g}"),
        ("same concept unchanged", one("guard_unchanged.concept")),
        ("label unchanged", one("guard_unchanged.label")),
        ("concept accuracy, points", one("guard_accuracy_delta.concept", 2)),
        ("label accuracy, points", one("guard_accuracy_delta.label", 2)),
        ("siblings right before", one("generalisation.before", 0)),
        ("after", one("generalisation.after", 0)),
        ("seconds, median", one("seconds_median", 2, scale=1)),
    ]
    chain: list[shown.Column] = [
        *name,
        ("corrections", "corrections"),
        ("still right", one("still_right", 0)),
        ("concept acc. before", one("concept_accuracy_start")),
        ("after", one("concept_accuracy")),
        ("label acc. before", one("label_accuracy_start")),
        ("after", one("label_accuracy")),
        ("bits changed", "drift"),
    ]
    rows = results["rows"]
    chains = [{**row, **point} for row in rows for point in row["chain"]]
    found = [shown.table("Single corrections, each on the pristine model (per cent)", rows, single)]
    if chains:
        found.append(shown.table("In a chain, without reset (other reviews, per cent)", chains, chain))
    return found


def draw(results: Results) -> go.Figure:
    """What a correction reaches, and what it leaves alone."""
    from sparsecbm_core.figures import Dots, dots_figure

    rows, apart = results["rows"], shown.seed_of(results["rows"])
    series = [
        Dots("Right when the review comes again", [row["efficacy"] for row in rows]),
        Dots("Same concept of other reviews unchanged", [row["guard_unchanged"]["concept"] for row in rows]),
        Dots("Label of other reviews unchanged", [row["guard_unchanged"]["label"] for row in rows]),
    ]
    return dots_figure([row["rule"] + apart(row) for row in rows], series, "share")

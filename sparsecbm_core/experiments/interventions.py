"""How well corrections work, rule by rule: reached, side effects, generalisation, and chains of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.experiments.estimate import correction_seconds
from sparsecbm_core.experiments.experiment import Experiment, Measured, Part, Table
from sparsecbm_core.experiments.lab import describe_model, model_space
from sparsecbm_core.experiments.options import BUNDLED, Choice
from sparsecbm_core.experiments.summary import number
from sparsecbm_core.intervene.rules import ALL_RULES, rule_named
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.lab import Lab

RULES = ("oracle", *(name for name in ALL_RULES if name != "oracle"))
GUARD_COST = 2.0  # corrections that a report on the guard reviews and the siblings takes as long as
CHAIN_COST = 4.0  # a protected one in a chain
READ_COST = 0.02  # reading a review to see what is wrong in it


@dataclass(frozen=True)
class Options:
    model: Annotated[Path, Choice("SparseCBM checkpoint to correct.")] = BUNDLED
    split: Annotated[str, Choice("Split to take wrong and guard reviews from.")] = "dev"
    rules: Annotated[tuple[str, ...], Choice(f"Rules of correction: {', '.join(RULES)}.")] = RULES
    limit: Annotated[int, Choice("Wrong (review, concept) pairs to correct.")] = 100
    guard: Annotated[int, Choice("Reviews that measure side effects.")] = 200
    profile: Annotated[int, Choice("Further reviews that set the guard profile.")] = 150
    sequential: Annotated[tuple[int, ...], Choice("Figures of a chain after so many corrections.")] = (
        1,
        10,
        50,
        100,
    )
    protect: Annotated[bool, Choice("In a chain by guarded, protect earlier corrections.")] = True
    seeds: Annotated[tuple[int, ...], Choice("Which reviews are which, and their order.")] = (0,)


def parts(lab: Lab, options: Options) -> list[Part]:
    """One rule and seed each, single corrections and chain together."""
    for rule in options.rules:
        rule_named(rule, ALL_RULES)
    model = describe_model(options.model)
    space = model_space(options.model)
    settings = {
        **model,
        "measured": lab.about(options.split, space),
        "limit": options.limit,
        "guard": options.guard,
        "profile": options.profile,
        "sequential": options.sequential,
        "protect": options.protect,
    }
    cost = options.limit * (1 + GUARD_COST) + max(options.sequential, default=0) * CHAIN_COST
    cost += READ_COST * len(lab.reviews(options.split, space))
    return [
        Part({"rule": rule, "seed": seed}, cost, settings, _measure(lab, options, rule, seed))
        for seed in options.seeds
        for rule in options.rules
    ]


def _measure(lab: Lab, options: Options, rule: str, seed: int) -> Any:
    def go(report: OnWork) -> dict[str, Any]:
        from sparsecbm_core.evaluate.interventions import run_evaluation
        from sparsecbm_core.models.concept_model import ConceptModel

        model = ConceptModel.from_pretrained(options.model, lab.device)
        result = run_evaluation(
            model,
            lab.reviews(options.split, model.space),
            [rule],
            options.limit,
            options.guard,
            options.profile,
            options.sequential,
            seed,
            on_progress=report,
            protect=options.protect,
        )
        chain = [asdict(figures) for figures in result.sequential.get(rule, ())]
        return {**asdict(result.rules[rule]), "chain": chain}

    return go


def unit(lab: Lab, options: Options) -> float:
    """One correction."""
    from sparsecbm_core.models.concept_model import ConceptModel

    return correction_seconds(ConceptModel.from_pretrained(options.model, lab.device))


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """The figures as they were measured, one row a rule and seed."""
    return {"rows": [{**part.labels, **part.result} for part in parts]}


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Single corrections, and chains."""
    single, chains = [], []
    for row in results["rows"]:
        name, general = [row["rule"], f"{row['seed']:g}"], row["generalisation"]
        single.append(
            [
                *name,
                str(row["pairs"]),
                number(row["efficacy"], digits=0),
                f"{100 * row['weights_flipped_median']:.2g}",
                number(row["guard_unchanged"]["concept"]),
                number(row["guard_unchanged"]["label"]),
                number(row["guard_accuracy_delta"]["concept"], digits=2),
                number(row["guard_accuracy_delta"]["label"], digits=2),
                number(general["before"], digits=0),
                number(general["after"], digits=0),
                f"{row['seconds_median']:.2f}",
            ]
        )
        chains += [
            [
                *name,
                str(point["corrections"]),
                number(point["still_right"], digits=0),
                number(point["concept_accuracy_start"]),
                number(point["concept_accuracy"]),
                number(point["label_accuracy_start"]),
                number(point["label_accuracy"]),
                f"{point['drift']:,}",
            ]
            for point in row["chain"]
        ]
    found = [
        Table(
            "Single corrections, each on the pristine model (per cent)",
            [
                *("rule", "seed", "pairs", "right when it comes again", "weights flipped, median"),
                *("same concept unchanged", "label unchanged", "concept accuracy, points"),
                *("label accuracy, points", "siblings right before", "after", "seconds, median"),
            ],
            single,
        )
    ]
    if chains:
        header = ["rule", "seed", "corrections", "still right", "concept acc. before", "after"]
        header += ["label acc. before", "after", "bits changed"]
        found.append(Table("In a chain, without reset (other reviews, per cent)", header, chains))
    return found


def draw(results: Mapping[str, Any]) -> go.Figure:
    """What a correction reaches, and what it leaves alone."""
    from sparsecbm_core.figures import Dots, dots_figure

    rows = results["rows"]
    many = len({row["seed"] for row in rows}) > 1
    titles = [f"{row['rule']}, seed {row['seed']:g}" if many else row["rule"] for row in rows]
    series = [
        Dots("Right when the review comes again", [row["efficacy"] for row in rows]),
        Dots("Same concept of other reviews unchanged", [row["guard_unchanged"]["concept"] for row in rows]),
        Dots("Label of other reviews unchanged", [row["guard_unchanged"]["label"] for row in rows]),
    ]
    return dots_figure(titles, series, "share")


EXPERIMENT = Experiment(
    name="interventions",
    title="Corrections, rule by rule",
    claim=(
        "The paper: a correction by its rule, at 1 % of the weights, mends a misread concept and leaves the "
        "rest. Measured for it and for others: reached, side effects, other edits of the same review, chains."
    ),
    options=Options,
    parts=parts,
    unit=unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

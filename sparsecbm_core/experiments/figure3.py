"""Figure 3: concept and label accuracy against r, the share of weights that a correction drops and grows.

What the paper says of its figure: a SparseCBM is corrected on test reviews by the sparsity-based intervention
at several r, beside no intervention, with models trained for the concepts or the label alone as upper bounds,
and masks shown "after seeing all test samples". So here, for each rule and r:

1. A seeded sample of reviews comes one after the other. Each is read under the masks as they stand.
2. Every concept of it that is read wrong is corrected to its gold state, by the rule, at exactly this r.
   Corrections stay: the next review is read under the new masks.
3. *At once*: concepts and label of each review, read right after its own corrections. This is what a person
   who corrects sees, and the nearest to the paper's curves; it uses the gold states.
4. *Afterwards*: the whole sample read again under the final masks.
5. *Other reviews*: a guard set read under the final masks; no edit of a sampled review is in it. A third set
   gives the guard profile of the rule "guarded".

Beside them: no intervention; the oracle (wrong concepts set by hand, the label head run again: all concepts
right by definition); and the upper bounds, a concept predictor and a label classifier trained each by itself.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import READ_COST, Costs
from sparsecbm_core.experiments.experiment import Labels, Measured, Part, Results, Row, Table
from sparsecbm_core.experiments.lab import Lab, Run, describe_model
from sparsecbm_core.experiments.measure import dense_step, measured_splits, run_of
from sparsecbm_core.experiments.options import Choice, Training, check_names, chosen
from sparsecbm_core.experiments.recipes import RECIPES, sparse_recipe
from sparsecbm_core.experiments.summary import over_seeds
from sparsecbm_core.intervene.rules import RULES
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.evaluate.pairs import Reviews
    from sparsecbm_core.models.concept_model import ConceptModel

NAME, TITLE = "figure3", "Figure 3: accuracy under test-time intervention"
CLAIM = (
    "The paper: the sparsity-based intervention raises concept and label accuracy at inference, best at "
    "r = 1 %. Measured also: what it does to the reviews that were not corrected."
)
unit = dense_step
FIGURES = tuple(
    f"{what}_{when}" for when in ("at_once", "afterwards", "others") for what in ("concept", "label")
)
COUNTS = ("corrections", "reached", "bits_changed")
NONE = "none"  # in place of a rule: no intervention
WRONG = 0.15  # of the concepts, about: what a plan counts on
CORRECTION_COST = 3.0  # dense training steps that a correction takes as long as
DOSES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
PANELS = (
    ("Concepts, right after the correction", "concept_at_once"),
    ("Label, right after the correction", "label_at_once"),
    ("Concepts of other reviews, afterwards", "concept_others"),
    ("Label of other reviews, afterwards", "label_others"),
)


@dataclass(frozen=True)
class Options(Training):
    model: Annotated[Path | None, Choice("SparseCBM to correct; default: one is trained by --recipe.")] = None
    recipe: Annotated[
        str, Choice("Sparse recipe of the model that is trained: sparse, taught, disjoint or distinct.")
    ] = "sparse"
    rules: Annotated[tuple[str, ...], Choice("Rules of correction.")] = ("paper", "signed", "guarded")
    r: Annotated[tuple[float, ...], Choice("Shares of the weights to drop, and to grow.")] = DOSES
    sample: Annotated[int, Choice("Reviews that come along and are corrected.")] = 100
    guard: Annotated[int, Choice("Other reviews, read after all corrections.")] = 200
    profile: Annotated[int, Choice("Further reviews that set the guard profile.")] = 100
    bounds: Annotated[bool, Choice("Train the upper bounds: concepts alone, label alone.")] = True


def parts(lab: Lab, options: Options) -> list[Part]:
    """No intervention and oracle; each rule at each r; the two upper bounds."""
    check_names("rule", options.rules, RULES)
    recipe, backbone, costs = sparse_recipe(options.recipe), options.backbone[0], Costs(lab)
    split, found = measured_splits(lab, options)[0], []
    common = {"measured": lab.about(split), **chosen(options, "sample", "guard", "profile")}
    reading = READ_COST * 4 * (options.sample + options.guard) / 16
    chain = reading + CORRECTION_COST * WRONG * 4 * options.sample
    doses = [(NONE, 0.0), *((rule, r) for rule in options.rules for r in options.r)]
    for seed in options.seeds:
        source = options.model or run_of(lab, options, recipe, backbone, seed)
        what, first = describe_model(source) if isinstance(source, Path) else lab.describe(source), reading
        if isinstance(source, Run):
            first += costs.of(source, split)
        for rule, r in doses:
            labels: Labels = {"rule": rule, "r": r, "seed": seed}
            go = partial(corrected, lab, source, split, options, seed, rule, r)
            found.append(Part(labels, first if rule == NONE else chain, {**common, "corrected": what}, go))
        for name in ("independent", "standard") if options.bounds else ():
            run = run_of(lab, options, RECIPES[name], backbone, seed)
            labels, settings = {"rule": f"bound ({name})", "r": 0.0, "seed": seed}, lab.describe(run)
            alone = partial(bound, lab, run, split, options, seed)
            found.append(Part(labels, costs.of(run, split), {**common, "bound": settings}, alone))
    return found


def _reviews(lab: Lab, split: str, options: Options, seed: int) -> Reviews:
    """Sample, guard and profile reviews: the same for every part of a seed."""
    from sparsecbm_core.evaluate.pairs import Reviews

    reviews = Reviews.of(lab.reviews(split), options.profile, options.guard, seed)
    sample = list(reviews.pool)
    random.Random(seed).shuffle(sample)
    return replace(reviews, pool=replace(reviews.pool, examples=tuple(sample[: options.sample])))


def corrected(
    lab: Lab, source: Run | Path, split: str, options: Options, seed: int, rule: str, r: float, report: OnWork
) -> dict[str, Any]:
    """The sample corrected by a rule at one r; or by none, and the oracle."""
    from sparsecbm_core.experiments.stream import correct_stream, oracle_label_accuracy, read_accuracy

    model = lab.load(source) if isinstance(source, Path) else lab.model(source, report)
    reviews = _reviews(lab, split, options, seed)
    if rule == NONE:
        oracle = oracle_label_accuracy(model, reviews.pool)
        return {**_uncorrected(model, reviews), "oracle_label": oracle, "model": model.fingerprint}
    profile = reviews.made_profile(model, [rule])
    done = correct_stream(model, reviews.pool, rule, r, profile, seed, report)
    return {
        **_named("at_once", done.at_once),
        **_named("afterwards", read_accuracy(done.model, reviews.pool)),
        **_named("others", read_accuracy(done.model, reviews.guard)),
        "corrections": done.corrections,
        "reached": done.reached,
        "bits_changed": done.drift,
    }


def bound(lab: Lab, run: Run, split: str, options: Options, seed: int, report: OnWork) -> dict[str, Any]:
    """A model trained for the concepts or the label alone, of which it is the bound."""
    found = _uncorrected(lab.model(run, report), _reviews(lab, split, options, seed))
    kept = "label" if run.settings.kind == "standard" else "concept"
    return {name: value for name, value in found.items() if name.startswith(kept)}


def _uncorrected(model: ConceptModel, reviews: Reviews) -> dict[str, float | None]:
    from sparsecbm_core.experiments.stream import read_accuracy

    sample, others = read_accuracy(model, reviews.pool), read_accuracy(model, reviews.guard)
    return {**_named("at_once", sample), **_named("afterwards", sample), **_named("others", others)}


def _named(when: str, accuracy: Mapping[str, float | None]) -> dict[str, float | None]:
    return {f"{what}_{when}": accuracy[what] for what in ("concept", "label")}


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Mean and deviation over seeds for each rule and r; "none" and the bounds at r = 0."""
    return {"rows": over_seeds(parts, (*FIGURES, "oracle_label", *COUNTS))}


def tables(results: Results) -> list[Table]:
    columns: list[shown.Column] = [
        ("rule", "rule"),
        ("r", lambda row: f"{row['r']:g}" if row["r"] else "–"),
        ("concepts at once", "concept_at_once"),
        ("label at once", "label_at_once"),
        ("concepts afterwards", "concept_afterwards"),
        ("label afterwards", "label_afterwards"),
        ("concepts, other reviews", "concept_others"),
        ("label, other reviews", "label_others"),
        *((name.replace("_", " "), shown.mean(name, 1, 0)) for name in COUNTS),
    ]
    oracles = [
        f"label accuracy with every wrong concept set by hand: {shown.cell(row['oracle_label'])} %"
        for row in results["rows"]
        if row["oracle_label"] is not None
    ]
    return [shown.table("; ".join(["Accuracy in per cent", *oracles]), results["rows"], columns)]


def draw(results: Results) -> go.Figure | None:
    """Concepts and label, at once and on other reviews; no intervention, oracle and bounds as levels."""
    from sparsecbm_core.figures import Level, Panel, curves_figure

    rules: dict[str, list[Row]] = {}
    for row in results["rows"]:
        if row["r"]:
            rules.setdefault(row["rule"], []).append(row)
    panels = []
    for title, name in PANELS:
        curves, levels = [shown.curve(rule, rows, "r", name) for rule, rows in rules.items()], []
        for row in results["rows"]:
            if not row["r"] and row[name] is not None:
                none = row["rule"] == NONE
                levels.append(Level("no intervention" if none else "trained by itself", row[name]["mean"]))
            if name == "label_at_once" and row["oracle_label"] is not None:
                levels.append(Level("oracle", row["oracle_label"]["mean"]))
        panels.append(Panel(title, curves, levels))
    x_title = "r: share of the weights dropped, and grown"
    return curves_figure(panels, x_title, "accuracy", log_x=True) if rules else None

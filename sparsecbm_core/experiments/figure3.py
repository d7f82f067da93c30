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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.experiments.estimate import READ_COST, Costs, step_seconds
from sparsecbm_core.experiments.experiment import Experiment, Measured, Part, Table
from sparsecbm_core.experiments.lab import describe_model
from sparsecbm_core.experiments.measure import measured_splits, run_of
from sparsecbm_core.experiments.options import Choice, Training
from sparsecbm_core.experiments.recipes import RECIPES, sparse_recipe
from sparsecbm_core.experiments.summary import cell, over_seeds
from sparsecbm_core.intervene.rules import rule_named
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.lab import Lab, Run
    from sparsecbm_core.models.concept_model import ConceptModel

FIGURES = tuple(
    f"{what}_{when}" for when in ("at_once", "afterwards", "others") for what in ("concept", "label")
)
WRONG = 0.15  # of the concepts, about: what a plan counts on
CORRECTION_COST = 3.0  # dense training steps that a correction takes as long as


@dataclass(frozen=True)
class Options(Training):
    model: Annotated[Path | None, Choice("SparseCBM to correct; default: one is trained by --recipe.")] = None
    recipe: Annotated[
        str, Choice("Sparse recipe of the model that is trained: sparse, taught, disjoint or distinct.")
    ] = "sparse"
    rules: Annotated[tuple[str, ...], Choice("Rules of correction.")] = ("paper", "signed", "guarded")
    r: Annotated[tuple[float, ...], Choice("Shares of the weights to drop, and to grow.")] = (
        1e-6,
        1e-5,
        1e-4,
        1e-3,
        1e-2,
    )
    sample: Annotated[int, Choice("Reviews that come along and are corrected.")] = 100
    guard: Annotated[int, Choice("Other reviews, read after all corrections.")] = 200
    profile: Annotated[int, Choice("Further reviews that set the guard profile.")] = 100
    bounds: Annotated[bool, Choice("Train the upper bounds: concepts alone, label alone.")] = True


def parts(lab: Lab, options: Options) -> list[Part]:
    """No intervention and oracle; each rule at each r; the two upper bounds."""
    for rule in options.rules:
        rule_named(rule)
    recipe = sparse_recipe(options.recipe)
    split, found = measured_splits(lab, options)[0], []
    costs, backbone = Costs(lab), options.backbone[0]
    common = {
        "measured": lab.about(split),
        "sample": options.sample,
        "guard": options.guard,
        "profile": options.profile,
    }
    for seed in options.seeds:
        source = options.model or run_of(lab, options, recipe, backbone, seed)
        what = describe_model(source) if isinstance(source, Path) else lab.describe(source)
        settings = {**common, "corrected": what}
        reading = READ_COST * 4 * (options.sample + options.guard) / 16
        first = reading if isinstance(source, Path) else costs.of(source, split) + reading
        found.append(_part("none", 0.0, seed, first, settings, _nothing(lab, source, split, options, seed)))
        chain = reading + CORRECTION_COST * WRONG * 4 * options.sample
        found += [
            _part(rule, r, seed, chain, settings, _chain(lab, source, split, options, seed, rule, r))
            for rule in options.rules
            for r in options.r
        ]
        for name in ("independent", "standard") if options.bounds else ():
            run = run_of(lab, options, RECIPES[name], backbone, seed)
            bound = {**common, "bound": lab.describe(run)}
            go = _bound(lab, run, split, options, seed)
            found.append(_part(f"bound ({name})", 0.0, seed, costs.of(run, split), bound, go))
    return found


def _part(rule: str, r: float, seed: int, units: float, settings: Mapping[str, Any], go: Any) -> Part:
    return Part({"rule": rule, "r": r, "seed": seed}, units, settings, go)


def _reviews(lab: Lab, split: str, options: Options, seed: int) -> Any:
    """Sample, guard and profile reviews: the same for every part of a seed."""
    import random
    from dataclasses import replace

    from sparsecbm_core.evaluate.pairs import Reviews

    parts = Reviews.of(lab.reviews(split), options.profile, options.guard, seed)
    sample = list(parts.pool)
    random.Random(seed).shuffle(sample)
    return replace(parts, pool=replace(parts.pool, examples=tuple(sample[: options.sample])))


def _model(lab: Lab, source: Run | Path, report: OnWork) -> ConceptModel:
    from sparsecbm_core.models.concept_model import ConceptModel

    if isinstance(source, Path):
        return ConceptModel.from_pretrained(source, lab.device)
    return lab.model(source, report)


def _nothing(lab: Lab, source: Run | Path, split: str, options: Options, seed: int) -> Any:
    def go(report: OnWork) -> dict[str, Any]:
        from sparsecbm_core.experiments.stream import oracle_label_accuracy, read_accuracy

        model, reviews = _model(lab, source, report), _reviews(lab, split, options, seed)
        sample, others = read_accuracy(model, reviews.pool), read_accuracy(model, reviews.guard)
        return {
            **_named("at_once", sample),
            **_named("afterwards", sample),
            **_named("others", others),
            "oracle_label": oracle_label_accuracy(model, reviews.pool),
            "model": model.fingerprint,
        }

    return go


def _chain(lab: Lab, source: Run | Path, split: str, options: Options, seed: int, rule: str, r: float) -> Any:
    def go(report: OnWork) -> dict[str, Any]:
        from sparsecbm_core.experiments.stream import correct_stream, read_accuracy
        from sparsecbm_core.intervene.profile import compute_profile

        model, reviews = _model(lab, source, report), _reviews(lab, split, options, seed)
        profile = compute_profile(model, reviews.profile.texts) if rule_named(rule).needs_profile else None
        done = correct_stream(model, reviews.pool, rule, r, profile, seed, report)
        return {
            **_named("at_once", done.at_once),
            **_named("afterwards", read_accuracy(done.model, reviews.pool)),
            **_named("others", read_accuracy(done.model, reviews.guard)),
            "corrections": done.corrections,
            "reached": done.reached,
            "bits_changed": done.drift,
        }

    return go


def _bound(lab: Lab, run: Run, split: str, options: Options, seed: int) -> Any:
    def go(report: OnWork) -> dict[str, Any]:
        from sparsecbm_core.experiments.stream import read_accuracy

        model, reviews = lab.model(run, report), _reviews(lab, split, options, seed)
        sample, others = read_accuracy(model, reviews.pool), read_accuracy(model, reviews.guard)
        # The one is a bound for the concepts, the other for the label.
        kept = "label" if run.settings.kind == "standard" else "concept"
        both = {**_named("at_once", sample), **_named("afterwards", sample), **_named("others", others)}
        return {name: value for name, value in both.items() if name.startswith(kept)}

    return go


def _named(when: str, accuracy: Mapping[str, float | None]) -> dict[str, float | None]:
    return {f"{what}_{when}": accuracy[what] for what in ("concept", "label")}


def unit(lab: Lab, options: Options) -> float:
    """A dense training step."""
    return step_seconds(lab, run_of(lab, options, RECIPES["joint"], options.backbone[0], options.seeds[0]))


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Mean and deviation over seeds for each rule and r; "none" and the bounds at r = 0."""
    return {"rows": over_seeds(parts, (*FIGURES, "oracle_label", "corrections", "reached", "bits_changed"))}


def tables(results: Mapping[str, Any]) -> list[Table]:
    rows = [
        [
            row["rule"],
            f"{row['r']:g}" if row["r"] else "–",
            *(cell(row[name]) for name in FIGURES),
            cell(row["corrections"], scale=1, digits=0),
            cell(row["reached"], scale=1, digits=0),
            cell(row["bits_changed"], scale=1, digits=0),
        ]
        for row in results["rows"]
    ]
    header = ["rule", "r", "concepts at once", "label at once", "concepts afterwards", "label afterwards"]
    header += ["concepts, other reviews", "label, other reviews", "corrections", "reached", "bits changed"]
    oracles = [
        f"label accuracy with every wrong concept set by hand: {cell(row['oracle_label'])} %"
        for row in results["rows"]
        if row["oracle_label"] is not None
    ]
    return [Table("; ".join(["Accuracy in per cent", *oracles]), header, rows)]


def draw(results: Mapping[str, Any]) -> go.Figure | None:
    """Concepts and label, at once and on other reviews; no intervention, oracle and bounds as levels."""
    from sparsecbm_core.figures import Curve, Level, Panel, curves_figure

    rows = results["rows"]
    rules = list(dict.fromkeys(row["rule"] for row in rows if row["r"]))
    if not rules:
        return None
    panels = []
    for title, name in (
        ("Concepts, right after the correction", "concept_at_once"),
        ("Label, right after the correction", "label_at_once"),
        ("Concepts of other reviews, afterwards", "concept_others"),
        ("Label of other reviews, afterwards", "label_others"),
    ):
        curves = []
        for rule in rules:
            own = sorted((row for row in rows if row["rule"] == rule), key=lambda row: row["r"])
            means = [row[name]["mean"] for row in own]
            curves.append(Curve(rule, [row["r"] for row in own], means, [row[name]["std"] for row in own]))
        levels = []
        for row in rows:
            if not row["r"] and row[name] is not None:
                none = row["rule"] == "none"
                levels.append(Level("no intervention" if none else "trained by itself", row[name]["mean"]))
            if name == "label_at_once" and row["oracle_label"] is not None:
                levels.append(Level("oracle", row["oracle_label"]["mean"]))
        panels.append(Panel(title, curves, levels))
    return curves_figure(panels, "r: share of the weights dropped, and grown", "accuracy", log_x=True)


EXPERIMENT = Experiment(
    name="figure3",
    title="Figure 3: accuracy under test-time intervention",
    claim=(
        "The paper: the sparsity-based intervention raises concept and label accuracy at inference, best at "
        "r = 1 %. Measured also: what it does to the reviews that were not corrected."
    ),
    options=Options,
    parts=parts,
    unit=unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

"""One concept corrected to and fro: does the model settle, drift away, or get worse?

Two people disagree about a concept of a review, and each corrects what the other has corrected. Every
correction starts from the masks as they are by then. Measured for each rule in two ways: *alone*, each review
in a model of its own, so that its masks can be followed exactly; and *together*, all reviews in turn in one
model, as a model in use would have it. `swing` makes the rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import correction_seconds
from sparsecbm_core.experiments.experiment import Labels, Measured, Part, Results, Row, Table
from sparsecbm_core.experiments.lab import Lab, measured_model
from sparsecbm_core.experiments.options import BUNDLED, Choice, check_least, check_names, chosen
from sparsecbm_core.intervene.rules import RULES
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.figures import Series

NAME, TITLE = "back-and-forth", "To and fro: the same concept corrected again and again"
CLAIM = (
    "An open question: what happens to a model when two people who disagree correct the same concept of "
    "the same review in turn. Odd rounds ask for the state that is next most likely, even ones for the "
    "one that the model began with. Each correction starts from the masks that the last one left; no "
    "undo is used."
)
unit = correction_seconds
ALONE, TOGETHER = "alone", "together"
WAYS = (ALONE, TOGETHER)
LEAST_ROUNDS = 4  # there and back, twice: fewer cannot repeat anything
READ_COST = 0.02  # corrections that reading a guard review for one concept takes as long as
PROFILE_COST = 0.5  # the same, for a review of the guard profile, all concepts
SETTLED, GROWING = 0.95, 1.1  # share of reviews that repeat; drift at the end against half-way


@dataclass(frozen=True)
class Options:
    model: Annotated[Path, Choice("SparseCBM checkpoint to correct.")] = BUNDLED
    split: Annotated[str, Choice("Split to take all reviews from.")] = "dev"
    rules: Annotated[tuple[str, ...], Choice(f"Rules of correction: {', '.join(RULES)}.")] = (
        "guarded",
        "signed",
    )
    ways: Annotated[
        tuple[str, ...], Choice("alone: each review in a model of its own; together: all in one.")
    ] = WAYS
    cases: Annotated[int, Choice("Reviews that are corrected to and fro.")] = 20
    rounds: Annotated[int, Choice("Corrections of each.")] = 20
    every: Annotated[int, Choice("Rounds between two readings of the guard reviews.")] = 5
    guard: Annotated[int, Choice("Other reviews, which measure side effects.")] = 200
    profile: Annotated[int, Choice("Further reviews that set the guard profile.")] = 150
    seeds: Annotated[tuple[int, ...], Choice("Which reviews are which, and their order.")] = (0,)


def parts(lab: Lab, options: Options) -> list[Part]:
    """One for each way, rule and seed."""
    check_names("rule", options.rules, RULES)
    check_names("way", options.ways, WAYS)
    check_least(options, rounds=LEAST_ROUNDS, cases=1, every=1)
    settings = measured_model(lab, options.model, options.split)
    settings |= chosen(options, "cases", "rounds", "every", "guard", "profile")
    reading = READ_COST * options.guard * -(-options.rounds // options.every)
    times = {ALONE: options.cases, TOGETHER: lab.reviews(options.split).space.num_concepts}
    found = []
    for seed in options.seeds:
        for way in options.ways:
            for rule in options.rules:
                labels: Labels = {"way": way, "rule": rule, "seed": seed}
                profile = PROFILE_COST * options.profile * RULES[rule].needs_profile
                units = options.cases * options.rounds + reading * times[way] + profile
                found.append(Part(labels, units, settings, partial(measure, lab, options, way, rule, seed)))
    return found


def measure(lab: Lab, options: Options, way: str, rule: str, seed: int, report: OnWork) -> dict[str, Any]:
    from sparsecbm_core.evaluate.pairs import Reviews
    from sparsecbm_core.evaluate.parts import stretch
    from sparsecbm_core.experiments.swing import disputes, on_others, swing

    model = lab.load(options.model)
    reviews = Reviews.of(lab.reviews(options.split, model.space), options.profile, options.guard, seed)
    disputed = disputes(model, reviews.pool, options.cases, seed)
    baseline, profile = reviews.baseline(model), reviews.made_profile(model, [rule])
    tables = [[dispute] for dispute in disputed] if way == ALONE else [disputed]
    rounds, every, units = options.rounds, options.every, [1.0] * len(tables)
    swings = [
        swing(model, table, rule, rounds, every, profile, baseline, seed, stretch(report, units, place))
        for place, table in enumerate(tables)
    ]
    seconds = [s / len(table) for item, table in zip(swings, tables, strict=True) for s in item.seconds]
    return {
        "disputes": len(disputed),
        "prunable_weights": model.cbm.prunable_weights,
        "swings": [{"concepts": list(item.concepts), **item.columns} for item in swings],
        **on_others(swings, reviews.guard),
        "seconds_median": statistics.median(seconds),
    }


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """For each way, rule and seed the curves, what became of the masks, and a verdict in words."""
    return {"rows": [{**part.labels, **_row(part.result)} for part in parts]}


def _row(result: Row) -> dict[str, Any]:
    swings, count = result["swings"], result["disputes"]
    each = count // len(swings)  # disputes in one model
    scales = {"reached": each, "held": each, "probability": 1, "flipped": each, "drift": 1}
    mean = {
        name: [statistics.mean(values) / scale for values in zip(*(one[name] for one in swings), strict=True)]
        for name, scale in scales.items()
    }
    rounds = len(mean["drift"])
    last, half = rounds - rounds % 2, max(2, rounds // 2 // 2 * 2)  # rounds that end where all began
    settled = [_settled_after(one["moved"]) for one in swings]
    known = [after for after in settled if after is not None]
    row = {
        "disputes": count,
        "prunable_weights": result["prunable_weights"],
        "curves": {**mean, "returned": _returned(swings)},
        **{name: result[name] for name in ("others", "concept_change", "label_change")},
        "reached_first": statistics.mean(mean["reached"][:2]),
        "reached_last": statistics.mean(mean["reached"][-2:]),
        "flipped_first": statistics.mean(mean["flipped"][:2]),
        "flipped_last": statistics.mean(mean["flipped"][-2:]),
        "drift_half": mean["drift"][half - 1],
        "drift_end": mean["drift"][last - 1],
        "home": statistics.mean(one["drift"][last - 1] == 0 for one in swings),
        "settled": len(known) / len(settled),
        "settled_after": statistics.median(known) if known else None,
        "seconds_median": result["seconds_median"],
    }
    return {**row, "verdict": verdict(row)}


def _settled_after(moved: Sequence[int | None]) -> int | None:
    """The round whose masks come back after two more, and so on to the end, 0 for the masks at the start.

    None unless the last two rounds both return: both states have to come back."""
    if any(moved[-2:]) or None in moved[-2:]:
        return None
    first = len(moved)
    while first > 1 and moved[first - 1] == 0:
        first -= 1
    return first - 1


def _returned(swings: Sequence[Row]) -> list[float | None]:
    """By round, the share of models whose masks are bit for bit what they were two rounds before."""
    columns = zip(*(one["moved"] for one in swings), strict=True)
    return [None if None in values else statistics.mean(value == 0 for value in values) for values in columns]


def verdict(row: Row) -> str:
    """What the figures of a row come to, by rules that are the same for all.

    The masks *repeat* where `SETTLED` of the models are in a cycle; else they *drift on* where the bits that
    differ at the end are over `GROWING` times those half-way; else they *stay near*. Other reviews get worse
    where the whole interval of a change of accuracy is below 0.
    """
    if row["settled"] >= SETTLED:
        masks = "the masks repeat exactly"
    elif row["drift_end"] > GROWING * row["drift_half"]:
        masks = "the masks drift on"
    else:
        masks = "the masks stay near, without repeating"
    reach = "every correction still works"
    if row["reached_last"] < 1:
        less = row["reached_last"] < row["reached_first"]
        reach = "corrections fail more often" if less else "some corrections fail, from the start"
    worse = [what for what in ("concept", "label") if (row[f"{what}_change"]["high"] or 0.0) < 0]
    others = f"other reviews get worse ({', '.join(worse)})" if worse else "no loss shown on other reviews"
    return f"{masks}; {reach}; {others}"


def tables(results: Results) -> list[Table]:
    columns = [
        *((name, name) for name in ("way", "rule", "seed")),
        ("reviews", "disputes"),
        ("rounds", lambda row: str(len(row["curves"]["drift"]))),
        ("reached, first → last two rounds", _both("reached_first", "reached_last", 100)),
        ("bits a correction flips, first → last", _both("flipped_first", "flipped_last")),
        ("bits that differ from the start, half-way → end", _both("drift_half", "drift_end")),
        ("back at the start exactly", shown.single("home", 0)),
        ("repeat exactly", lambda row: shown.number(row["settled"], digits=0) + _since(row["settled_after"])),
        ("concept acc. of other reviews, points", lambda row: _change(row["concept_change"])),
        ("label acc.", lambda row: _change(row["label_change"])),
        ("verdict", "verdict"),
    ]
    title = "To and fro (per cent of reviews or models, where nothing else is said)"
    return [shown.table(title, results["rows"], columns)]


def _since(after: float | None) -> str:
    if after is None:
        return ""
    return f", after round {after:g}" if after else ", from the start"


def _both(first: str, last: str, scale: float = 1) -> Any:
    def write(row: Row) -> str:
        before, after = (f"{scale * row[name]:,.0f}" for name in (first, last))
        return before if before == after else f"{before} → {after}"

    return write


def _change(interval: Row) -> str:
    value = f"{100 * interval['value']:+.1f}"
    if interval["low"] is not None:
        value += f" [{100 * interval['low']:+.1f}, {100 * interval['high']:+.1f}]"
    return value.replace("-", "−")


def draw(results: Results) -> go.Figure:
    """Round by round: reached, drift, exact returns, and the accuracy on other reviews."""
    from sparsecbm_core.figures import Plot, Series, plots_figure

    apart, x = shown.seed_of(results["rows"]), "round"

    def series(rounds: Any, values: Any) -> list[Series]:
        found = []
        for row in results["rows"]:
            known = [(at, y) for at, y in zip(rounds(row), values(row), strict=True) if y is not None]
            xs, ys = (list(each) for each in zip(*known, strict=True)) if known else ([], [])
            found.append(Series(f"{row['rule']}, {row['way']}{apart(row)}", xs, ys))
        return found

    def curves(name: str) -> list[Series]:
        return series(lambda row: range(1, 1 + len(row["curves"][name])), lambda row: row["curves"][name])

    def others(what: str) -> list[Series]:
        return series(lambda row: row["others"]["rounds"], lambda row: row["others"][what])

    return plots_figure(
        [
            Plot("Reached", curves("reached"), x, "share of corrections"),
            Plot("Bits that differ from the start", curves("drift"), x, "mask bits", "count", zero=True),
            Plot("Probability of the state asked for", curves("probability"), x, "mean probability"),
            Plot("Masks exactly as two rounds before", curves("returned"), x, "share of models"),
            Plot("The same concepts of other reviews", others("concept"), x, "accuracy"),
            Plot("The label of other reviews", others("label"), x, "accuracy"),
        ]
    )

"""One concept corrected to and fro: does the model settle, drift away, or get worse?

Two people disagree about a concept of a review, and each corrects what the other has corrected. Every
correction starts from the masks as they are by then. Measured for each rule in two ways: *alone*, each review
in a model of its own, so that its masks can be followed exactly; and *together*, all reviews in turn in one
model, as a model in use would have it. `swing` makes the rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.experiments.estimate import correction_seconds
from sparsecbm_core.experiments.experiment import Experiment, Measured, Part, Report, Table
from sparsecbm_core.experiments.lab import describe_model, model_space
from sparsecbm_core.experiments.options import BUNDLED, Choice
from sparsecbm_core.experiments.summary import number

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.lab import Lab
    from sparsecbm_core.experiments.swing import Swing

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
    rules: Annotated[tuple[str, ...], Choice("Rules of correction: guarded, signed, paper, random.")] = (
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
    from sparsecbm_core.intervene.rules import RULES

    for what, given, known in (("rule", options.rules, RULES), ("way", options.ways, WAYS)):
        for name in given:
            if name not in known:
                raise InputError(one_of(name, known, what))
    for name, value, least in (
        ("rounds", options.rounds, LEAST_ROUNDS),
        ("cases", options.cases, 1),
        ("every", options.every, 1),
    ):
        if value < least:
            raise InputError(f"--{name} must be at least {least}, got {value}")
    model = describe_model(options.model)
    space = model_space(options.model)
    settings = {
        **model,
        "measured": lab.about(options.split, space),
        "cases": options.cases,
        "rounds": options.rounds,
        "every": options.every,
        "guard": options.guard,
        "profile": options.profile,
    }
    readings = -(-options.rounds // options.every)
    return [
        Part(
            {"way": way, "rule": rule, "seed": seed},
            options.cases * options.rounds
            + READ_COST * options.guard * readings * (options.cases if way == ALONE else space.num_concepts)
            + PROFILE_COST * options.profile * RULES[rule].needs_profile,
            settings,
            _measure(lab, options, way, rule, seed),
        )
        for seed in options.seeds
        for way in options.ways
        for rule in options.rules
    ]


def _measure(lab: Lab, options: Options, way: str, rule: str, seed: int) -> Any:
    def go(report: Report) -> dict[str, Any]:
        from sparsecbm_core.evaluate.pairs import Reviews
        from sparsecbm_core.experiments.swing import disputes, swing
        from sparsecbm_core.intervene.guard import GuardBaseline
        from sparsecbm_core.intervene.profile import compute_profile
        from sparsecbm_core.intervene.reading import half_is_faster
        from sparsecbm_core.intervene.rules import RULES
        from sparsecbm_core.models.concept_model import ConceptModel

        model = ConceptModel.from_pretrained(options.model, lab.device)
        if model.masks is None:
            raise InputError("this model has no masks to correct; load a SparseCBM")
        reviews = Reviews.of(lab.reviews(options.split, model.space), options.profile, options.guard, seed)
        chosen = disputes(model, reviews.pool, options.cases, seed)
        baseline = GuardBaseline.read(model, reviews.guard)
        if half_is_faster(model, baseline.encoded):
            baseline = baseline.quick()  # the same readings, sooner
        profile = compute_profile(model, reviews.profile.texts) if RULES[rule].needs_profile else None
        swings: list[Swing] = []
        tables = [[dispute] for dispute in chosen] if way == ALONE else [chosen]
        for place, table in enumerate(tables):

            def on_progress(done: int, total: int, message: str, place: int = place) -> None:
                report(place * total + done, len(tables) * total, message)

            swings.append(
                swing(model, table, rule, options.rounds, options.every, profile, baseline, seed, on_progress)
            )
        return {
            "disputes": len(chosen),
            "prunable_weights": model.masks.total,
            "swings": [{"concepts": list(item.concepts), **item.columns()} for item in swings],
            **_on_others(swings, reviews.guard),
            "seconds_median": statistics.median(
                item.seconds / item.disputes for one in swings for item in one.rounds
            ),
        }

    return go


def _on_others(swings: Sequence[Swing], guard: Any) -> dict[str, Any]:
    """Accuracy on the guard reviews as the rounds go by, and its change with an interval over these reviews;
    means over the swings."""
    import numpy as np

    from sparsecbm_core.evaluate.common import groups_of
    from sparsecbm_core.evaluate.intervals import bootstrap

    found: dict[str, Any] = {"others": {"rounds": [point.rounds for point in swings[0].others]}}
    for what in ("concept", "label"):
        readings = np.array([[getattr(point, what) for point in one.others] for one in swings]).mean(0)
        found["others"][what] = readings.mean(1).tolist()  # (points, G) → (points,)
        found[f"{what}_change"] = asdict(bootstrap(readings[-1] - readings[0], groups_of(guard)))
    return found


def unit(lab: Lab, options: Options) -> float:
    """One correction."""
    from sparsecbm_core.models.concept_model import ConceptModel

    return correction_seconds(ConceptModel.from_pretrained(options.model, lab.device))


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """For each way, rule and seed the curves, what became of the masks, and a verdict in words."""
    return {"rows": [{**part.labels, **_row(part.result)} for part in parts]}


def _row(result: Mapping[str, Any]) -> dict[str, Any]:
    swings, count = result["swings"], result["disputes"]
    each = count // len(swings)  # disputes in one model
    mean = {
        name: [statistics.mean(values) / scale for values in zip(*(one[name] for one in swings), strict=True)]
        for name, scale in (
            ("reached", each),
            ("held", each),
            ("probability", 1),
            ("flipped", each),
            ("drift", 1),
        )
    }
    rounds = len(mean["drift"])
    last, half = rounds - rounds % 2, max(2, rounds // 2 // 2 * 2)  # rounds that end where all began
    settled = [_settled_after(one["moved"]) for one in swings]
    known = [after for after in settled if after is not None]
    row = {
        "disputes": count,
        "prunable_weights": result["prunable_weights"],
        "curves": {**mean, "returned": _returned(swings)},
        "others": result["others"],
        "concept_change": result["concept_change"],
        "label_change": result["label_change"],
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


def _returned(swings: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """By round, the share of models whose masks are bit for bit what they were two rounds before."""
    columns = zip(*(one["moved"] for one in swings), strict=True)
    return [None if None in values else statistics.mean(value == 0 for value in values) for values in columns]


def verdict(row: Mapping[str, Any]) -> str:
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


def tables(results: Mapping[str, Any]) -> list[Table]:
    rows = []
    for row in results["rows"]:
        after = row["settled_after"]
        rows.append(
            [
                row["way"],
                row["rule"],
                f"{row['seed']:g}",
                str(row["disputes"]),
                str(len(row["curves"]["drift"])),
                _both(number(row["reached_first"], digits=0), number(row["reached_last"], digits=0)),
                _both(f"{row['flipped_first']:,.0f}", f"{row['flipped_last']:,.0f}"),
                _both(f"{row['drift_half']:,.0f}", f"{row['drift_end']:,.0f}"),
                number(row["home"], digits=0),
                number(row["settled"], digits=0) + _since(after),
                _change(row["concept_change"]),
                _change(row["label_change"]),
                row["verdict"],
            ]
        )
    header = ["way", "rule", "seed", "reviews", "rounds", "reached, first → last two rounds"]
    header += ["bits a correction flips, first → last", "bits that differ from the start, half-way → end"]
    header += ["back at the start exactly", "repeat exactly", "concept acc. of other reviews, points"]
    header += ["label acc.", "verdict"]
    return [Table("To and fro (per cent of reviews or models, where nothing else is said)", header, rows)]


def _since(after: float | None) -> str:
    if after is None:
        return ""
    return f", after round {after:g}" if after else ", from the start"


def _both(first: str, last: str) -> str:
    return first if first == last else f"{first} → {last}"


def _change(interval: Mapping[str, Any]) -> str:
    value = f"{100 * interval['value']:+.1f}"
    if interval["low"] is not None:
        value += f" [{100 * interval['low']:+.1f}, {100 * interval['high']:+.1f}]"
    return value.replace("-", "−")


def draw(results: Mapping[str, Any]) -> go.Figure:
    """Round by round: reached, drift, exact returns, and the accuracy on other reviews."""
    from sparsecbm_core.figures import Plot, Series, plots_figure

    rows = results["rows"]
    many = len({row["seed"] for row in rows}) > 1

    def series(name: str) -> list[Series]:
        found = []
        for row in rows:
            known = [(i + 1, y) for i, y in enumerate(row["curves"][name]) if y is not None]
            found.append(Series(_name(row, many), [x for x, _ in known], [y for _, y in known]))
        return found

    def others(what: str) -> list[Series]:
        return [Series(_name(row, many), row["others"]["rounds"], row["others"][what]) for row in rows]

    x = "round"
    return plots_figure(
        [
            Plot("Reached", series("reached"), x, "share of corrections"),
            Plot("Bits that differ from the start", series("drift"), x, "mask bits", "count", zero=True),
            Plot("Probability of the state asked for", series("probability"), x, "mean probability"),
            Plot("Masks exactly as two rounds before", series("returned"), x, "share of models"),
            Plot("The same concepts of other reviews", others("concept"), x, "accuracy"),
            Plot("The label of other reviews", others("label"), x, "accuracy"),
        ]
    )


def _name(row: Mapping[str, Any], many: bool) -> str:
    return f"{row['rule']}, {row['way']}" + (f", seed {row['seed']:g}" if many else "")


EXPERIMENT = Experiment(
    name="back-and-forth",
    title="To and fro: the same concept corrected again and again",
    claim=(
        "An open question: what happens to a model when two people who disagree correct the same concept of "
        "the same review in turn. Each correction starts from the masks that the last one left; no undo is "
        "used."
    ),
    options=Options,
    parts=parts,
    unit=unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

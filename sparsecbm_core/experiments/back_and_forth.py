"""One concept corrected to and fro: does the model settle, drift away, or get worse?

Two people disagree about a concept of a review, and each corrects what the other has corrected. Every
correction starts from the masks as they are by then. Measured for each rule in two ways: *alone*, each review
in a model of its own, so that its masks can be followed exactly; and *together*, all reviews in turn in one
model, as a model in use would have it. `swing` makes the rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.experiments.back_and_forth_results import draw, summary, tables
from sparsecbm_core.experiments.estimate import correction_seconds
from sparsecbm_core.experiments.experiment import Experiment, Part
from sparsecbm_core.experiments.lab import describe_model, model_space
from sparsecbm_core.experiments.options import BUNDLED, Choice
from sparsecbm_core.intervene.rules import RULES
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    from sparsecbm_core.experiments.lab import Lab
    from sparsecbm_core.experiments.swing import Swing

ALONE, TOGETHER = "alone", "together"
WAYS = (ALONE, TOGETHER)
LEAST_ROUNDS = 4  # there and back, twice: fewer cannot repeat anything
READ_COST = 0.02  # corrections that reading a guard review for one concept takes as long as
PROFILE_COST = 0.5  # the same, for a review of the guard profile, all concepts


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
    def go(report: OnWork) -> dict[str, Any]:
        from sparsecbm_core.evaluate.pairs import Reviews
        from sparsecbm_core.experiments.swing import disputes, swing
        from sparsecbm_core.intervene.guard_files import read_baseline
        from sparsecbm_core.intervene.profile import compute_profile
        from sparsecbm_core.models.concept_model import ConceptModel

        model = ConceptModel.from_pretrained(options.model, lab.device)
        if model.masks is None:
            raise InputError("this model has no masks to correct; load a SparseCBM")
        reviews = Reviews.of(lab.reviews(options.split, model.space), options.profile, options.guard, seed)
        chosen = disputes(model, reviews.pool, options.cases, seed)
        baseline = read_baseline(model, reviews.guard)
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


EXPERIMENT = Experiment(
    name="back-and-forth",
    title="To and fro: the same concept corrected again and again",
    claim=(
        "An open question: what happens to a model when two people who disagree correct the same concept of "
        "the same review in turn. Odd rounds ask for the state that is next most likely, even ones for the "
        "one that the model began with. Each correction starts from the masks that the last one left; no "
        "undo is used."
    ),
    options=Options,
    parts=parts,
    unit=unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

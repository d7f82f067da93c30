"""Figure 4: the case study. Reviews read wrong, corrected by hand and inside the model, word by word.

The cases are picked by a rule, not by eye: reviews of our own whose label and at least one concept are read
wrong, first those whose label comes right when that one concept is set by hand, at most one a concept while
there are others. Each is then corrected inside the model, and shown whatever comes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import correction_seconds
from sparsecbm_core.experiments.experiment import Measured, Part, Results, Table
from sparsecbm_core.experiments.lab import Lab, describe_model
from sparsecbm_core.experiments.options import BUNDLED, Choice, check_least, check_names, chosen
from sparsecbm_core.intervene.rules import RULES
from sparsecbm_core.models.record import read_record
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    from sparsecbm_core.data.types import Example, ReviewDataset
    from sparsecbm_core.explain.results import Explanation
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.models.concept_model import ConceptModel

NAME, TITLE = "figure4", "Figure 4: a correction, case by case"
CLAIM = (
    "The paper: changing the mask of one concept turns its wrong reading right, and the label with it. "
    "Shown for reviews written for this project, picked by rule."
)
unit = correction_seconds
READS_DATA = False
PROFILE = 100  # reviews, where the model comes without a profile


@dataclass(frozen=True)
class Options:
    model: Annotated[Path, Choice("SparseCBM checkpoint.")] = BUNDLED
    file: Annotated[Path, Choice("CSV of labelled reviews to pick cases from.")] = Path(
        "assets/reviews/guard.csv"
    )
    label: Annotated[str, Choice("Column of the label in that file.")] = "stars"
    cases: Annotated[int, Choice("How many cases.")] = 3
    rule: Annotated[str, Choice(f"Rule of correction: {', '.join(RULES)}.")] = "guarded"


def parts(lab: Lab, options: Options) -> list[Part]:
    """One part: the cases are picked among all reviews."""
    from sparsecbm_core.data.table import load_csv

    check_names("rule", [options.rule], RULES)
    check_least(options, cases=1)
    if not options.file.is_file():
        raise InputError(f"there is no file {options.file}; name one with --file")
    space = read_record(options.model).space
    reviews = load_csv(
        options.file,
        text_column="text",
        label_column=options.label,
        concept_columns=list(space.concepts),
        states=space.states,
        labels=space.labels,
    )
    settings = {
        **describe_model(options.model),
        "reviews": {"name": options.file.name, "fingerprint": reviews.fingerprint()},
        **chosen(options, "rule", "cases"),
    }
    labels, units = chosen(options, "cases", "rule"), 2 * options.cases + 10
    return [Part(labels, units, settings, partial(study, lab, options, reviews))]


def study(lab: Lab, options: Options, reviews: ReviewDataset, report: OnWork) -> dict[str, Any]:
    from sparsecbm_core.intervene.guard_files import shipped_profile
    from sparsecbm_core.intervene.profile import compute_profile

    model = lab.load(options.model)
    picked = pick_cases(model, reviews, options.cases)
    profile = None
    if RULES[options.rule].needs_profile:
        profile = shipped_profile(options.model, model)
        if profile is None:
            ids = {example.id for example, _ in picked}
            rest = [example.text for example in reviews if example.id not in ids][:PROFILE]
            profile = compute_profile(model, rest or reviews.texts)
    cases = []
    for number, (example, k) in enumerate(picked):
        report(number, len(picked), f"case {number + 1} of {len(picked)}")
        cases.append(_case(model, example, k, options.rule, profile))
    return {"space": model.space.to_dict(), "cases": cases}


def pick_cases(model: ConceptModel, reviews: ReviewDataset, count: int) -> list[tuple[Example, int]]:
    """Up to ``count`` reviews with the concept to correct; see the head of this file for the rule."""
    import torch

    from sparsecbm_core.evaluate.classification import gold_states

    said = model.predict(reviews.texts)
    if said.readings is None or model.masks is None:
        raise InputError("this model has no masks to correct; load a SparseCBM")
    gold = torch.from_numpy(gold_states(reviews))  # (N, K)
    ranked = []
    for i, example in enumerate(reviews):
        for k in (said.states[i] != gold[i]).nonzero().flatten().tolist():
            set_right = model.cbm.stated(said.readings[i], k, gold[i, k])  # (P, R)
            label = int(model.predictions(set_right[None]).labels[0])
            was_wrong = int(said.labels[i]) != example.label
            rank = 0 if was_wrong and label == example.label else 1 if was_wrong else 2
            ranked.append((rank, i, k))
    if not ranked:
        raise InputError("the model reads every concept of these reviews right; there is no case to show")
    ranked.sort()
    chosen: list[tuple[int, int]] = []
    for fresh in (True, False):  # first one a concept, then whatever comes next
        for _, i, k in ranked:
            known = {j for j, _ in chosen}, {concept for _, concept in chosen}
            if len(chosen) < count and i not in known[0] and not (fresh and k in known[1]):
                chosen.append((i, k))
    return [(reviews.examples[i], k) for i, k in chosen]


def _case(
    model: ConceptModel, example: Example, k: int, rule: str, profile: GuardProfile | None
) -> dict[str, Any]:
    from sparsecbm_core.explain import explain
    from sparsecbm_core.explain.mask_changes import mask_changes
    from sparsecbm_core.intervene.correct import intervene

    space = model.space
    concept, state = space.concepts[k], space.states[example.concepts[k]]
    done = intervene(model, example.text, concept, state, rule, RULES[rule].r, profile)
    changes = []
    if model.masks is not None and done.corrected.masks is not None:
        found = mask_changes(model.masks, done.corrected.masks, model.cbm.matrices, concept)
        changes = [
            {"layer": m.layer, "role": m.role, "dropped": m.dropped, "grown": m.grown} for m in found.matrices
        ]
    return {
        "id": example.id,
        "text": example.text,
        "gold_label": space.labels[example.label],
        "gold_states": {
            name: space.states[s] for name, s in zip(space.concepts, example.concepts, strict=True)
        },
        "concept": concept,
        "state": state,
        "rule": rule,
        "outcome": done.outcome,
        "r": done.r,
        "dropped": done.dropped,
        "grown": done.grown,
        "prunable_weights": done.total,
        "matrices": changes,
        "before": _reading(explain(model, example.text), concept),
        "oracle": {"label": done.oracle.label, "labels": dict(done.oracle.labels)},
        "after": _reading(explain(done.corrected, example.text), concept),
    }


def _reading(said: Explanation, concept: str) -> dict[str, Any]:
    """Label, states, and the words that matter for the concept in question."""
    return {
        "label": said.label,
        "labels": dict(said.probabilities),
        "states": {name: item.state for name, item in said.concepts.items()},
        "probabilities": {name: item.probabilities[item.state] for name, item in said.concepts.items()},
        "words": [
            {"start": word.start, "end": word.end, "score": word.score}
            for word in said.concepts[concept].tokens
        ],
    }


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """The cases of the part measured last."""
    return dict(parts[-1].result) if parts else {}


def tables(results: Results) -> list[Table]:
    """A row for each case; the reviews themselves are in the figure."""
    columns: list[shown.Column] = [
        ("row of the file", "id"),
        ("concept", "concept"),
        ("read as", lambda case: case["before"]["states"][case["concept"]]),
        ("after", lambda case: case["after"]["states"][case["concept"]]),
        ("a reader", "state"),
        ("label", lambda case: case["before"]["label"]),
        ("by hand", lambda case: case["oracle"]["label"]),
        ("after", lambda case: case["after"]["label"]),
        ("a reader", "gold_label"),
        (
            "weights dropped / grown",
            lambda case: f"{case['dropped']:,} / {case['grown']:,} of {case['prunable_weights']:,}",
        ),
    ]
    return [shown.table("Cases", results.get("cases", ()), columns)]


def page(results: Results) -> str:
    from sparsecbm_core.figures import case_study_html

    space = results["space"]
    return case_study_html(results.get("cases", ()), space.get("titles", {}), space.get("label_titles"))

"""A concept that comes later: what a few labelled reviews teach a model whose weights stay as they are.

Every concept of the data is left out once. A SparseCBM is trained on the others; then the one left out is
added with θ frozen (see `added_concept`): a mask, and a head that reads it, from N labelled training reviews.
Beside it, on the same reviews: the most frequent state, and a linear probe of the frozen encoder with all its
weights; and the same concept in a model that was trained on all of them from the start.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import READ_COST, Costs
from sparsecbm_core.experiments.experiment import Labels, Measured, Part, Results, Row, Table
from sparsecbm_core.experiments.lab import Lab, Run
from sparsecbm_core.experiments.measure import dense_step, run_of, scores, trained_part
from sparsecbm_core.experiments.options import Choice, Training, check_least, check_names
from sparsecbm_core.experiments.recipes import sparse_recipe
from sparsecbm_core.experiments.some_concepts import SomeConcepts, with_concepts
from sparsecbm_core.experiments.summary import spread
from sparsecbm_core.progress import OnWork, unheard

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import torch

    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.concept_model import ConceptModel

NAME, TITLE = "new-concept", "A concept added later"
CLAIM = (
    "An open question: how many labelled reviews a concept takes that was never trained, when it is "
    "added to a finished model by a mask and a head alone. The weights stay, and with them all other "
    "concepts. The model that was trained on the concept from the start had its epoch chosen on the "
    "split that is measured; what is learned of an added concept saw nothing of it."
)
unit = dense_step
ALL, MEAN = "all", "mean"
WEIGHTS = ANY, UNOWNED = "any", "unowned"
START = "from the start"  # the kind of weights of a model that was trained on all concepts
FIGURES = ("learned", "learned_macro_f1", "probe", "probe_macro_f1", "majority", "density")
SIZES = ("16", "64", "256", ALL)
# In dense training steps: one gradient for the masks, the scores of one update, reading in full precision.
GRADIENT_COST, SCORES_COST, READ_FACTOR = 2.0, 80.0, 3.0
ROUNDING = 1e-4  # logits differ by less where one matrix product is done in two ways
PROOF = 32  # reviews that are read before and after, to see that no other concept has moved


@dataclass(frozen=True)
class Options(Training):
    recipe: Annotated[str, Choice("Sparse recipe of the models: sparse, taught, disjoint or distinct.")] = (
        "sparse"
    )
    sizes: Annotated[tuple[str, ...], Choice("Labelled reviews the new concept is learned from.")] = SIZES
    draws: Annotated[int, Choice("Samples of each size that is not all.")] = 3
    weights: Annotated[
        tuple[str, ...], Choice("Which weights it may take: any, or those that are unowned by others.")
    ] = (ANY,)


def parts(lab: Lab, options: Options) -> list[Part]:
    """For each seed the model of all concepts, then each concept left out, with each sample."""
    recipe = sparse_recipe(options.recipe)
    check_names("kind of weights", options.weights, WEIGHTS)
    if len(options.backbone) > 1 or len(options.splits) > 1:
        raise InputError("one backbone and one split to measure on at a time")
    check_least(options, draws=1)
    train, dev = lab.splits(options.train_split, options.dev_split)
    reviews, backbone = lab.reviews(train), options.backbone[0]
    split = options.splits[0] if options.splits else dev
    lab.reviews(split)
    if reviews.space.num_concepts < 2:
        raise InputError("leaving one concept out takes at least two, and this data has one")
    sizes = _sizes(options.sizes, len(reviews))
    found, costs = [], Costs(lab)
    for seed in options.seeds:
        whole = run_of(lab, options, recipe, backbone, seed)
        labels: Labels = {"concept": ALL, "reviews": ALL, "weights": START, "draw": 0, "seed": seed}
        found.append(trained_part(lab, costs, labels, whole, split, _per_concept))
        for concept in reviews.space.concepts:
            rest = SomeConcepts(lab, [name for name in reviews.space.concepts if name != concept])
            bench = _Bench(lab, rest, run_of(rest, options, recipe, backbone, seed), concept, train, split)
            cost = Costs(rest).of(bench.run, split)
            for weights in options.weights:
                for size, count in sizes:
                    for sample in range(1 if size == ALL else options.draws):
                        found.append(_part(bench, weights, size, count, sample, seed, cost))
                        cost = 0.0  # the model is there by then
    return found


def _sizes(names: Sequence[str], available: int) -> list[tuple[str, int]]:
    """Names of sizes with their numbers of reviews."""
    for name in names:
        if name != ALL and not (name.isdecimal() and 0 < int(name) <= available):
            raise InputError(f"--sizes must be numbers from 1 to {available}, or all, got {name!r}")
    return [(name, available if name == ALL else int(name)) for name in names]


@dataclass
class _Bench:
    """One concept left out: the model without it, loaded or trained on first use, and what it reads."""

    lab: Lab
    rest: Lab
    run: Run
    concept: str
    train: str
    split: str
    report: OnWork = unheard

    @cached_property
    def model(self) -> ConceptModel:
        return self.rest.model(self.run, self.report)

    @cached_property
    def dense_vectors(self) -> torch.Tensor:
        """z (N, E) of the reviews that are measured on, by the encoder with all its weights."""
        from sparsecbm_core.experiments.added_concept import read_vectors

        return read_vectors(self.model, self.model.encode(self.measured.texts), None)

    @property
    def measured(self) -> ReviewDataset:
        return with_concepts(self.lab.reviews(self.split), [self.concept])

    def sample(self, count: int, draw: int) -> ReviewDataset:
        """The first ``count`` training reviews of the draw's order: a smaller sample is part of a larger."""
        data = with_concepts(self.lab.reviews(self.train), [self.concept])
        order = list(data)
        random.Random(draw).shuffle(order)
        return replace(data, examples=tuple(order[:count]))


def _part(
    bench: _Bench, weights: str, size: str, count: int, draw: int, seed: int, model_cost: float
) -> Part:
    labels: Labels = {"concept": bench.concept, "reviews": size, "weights": weights}
    labels = {**labels, "draw": draw, "seed": seed}
    prune, batch = bench.run.settings.prune, bench.run.settings.batch_size
    read = READ_FACTOR * READ_COST / batch
    update = prune.num_grads * GRADIENT_COST + SCORES_COST + read * count
    cost = prune.updates * update + read * 2 * len(bench.lab.reviews(bench.split))

    settings = {
        **bench.rest.describe(bench.run),
        "measured": bench.lab.about(bench.split),
        "learned_from": {"reviews": count, "order": draw},
    }
    return Part(labels, model_cost + cost, settings, partial(_measure, bench, weights, count, draw))


def _measure(bench: _Bench, weights: str, count: int, draw: int, report: OnWork) -> dict[str, Any]:
    import numpy as np

    from sparsecbm_core.evaluate.classification import gold_states, macro_f1
    from sparsecbm_core.experiments.added_concept import alone, extended, learn_concept, read_vectors

    bench.report = report
    model, sample, data = bench.model, bench.sample(count, draw), bench.measured
    # A partition's masks come with weights that are solved for them, and θ does not move here.
    prune = replace(bench.run.settings.prune, method="gradual")
    added = learn_concept(model, sample, prune, weights == UNOWNED, draw, report)
    own = alone(model, sample.space).weights_for(added.masks)
    gold = gold_states(data)[:, 0]
    read = {
        "learned": added.head.states(read_vectors(model, model.encode(data.texts), own)),
        "probe": added.probe.states(bench.dense_vectors),
    }
    majority = int(np.bincount(gold_states(sample)[:, 0]).argmax())
    found = {name: float((states == gold).mean()) for name, states in read.items()}
    return {
        **found,
        **{f"{name}_macro_f1": macro_f1(gold, states) for name, states in read.items()},
        "majority": float((gold == majority).mean()),
        "density": 1.0 - added.masks.sparsity()[bench.concept],
        "reviews": count,
        "model": model.fingerprint,
        "others_moved": _moved(model, extended(model, added), data.texts[:PROOF]),
    }


def _moved(before: ConceptModel, after: ConceptModel, texts: Sequence[str]) -> int:
    """Readings (texts × concepts there were before) that are not what they were, but for rounding."""
    from sparsecbm_core.intervene.reading import concept_logits

    moved = 0
    for concept in before.space.concepts:
        logits = concept_logits(before, texts, concept), concept_logits(after, texts, concept)  # (N, C)
        moved += int(((logits[0] - logits[1]).abs() > ROUNDING).any(-1).sum())
    return moved


def _per_concept(model: ConceptModel, data: ReviewDataset) -> dict[str, Any]:
    """Accuracy and macro-F1 of every concept of a model that was trained on all."""
    said = scores(model, data)
    return {"model": said["model"], "per_concept": said["per_concept"]}


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """For each concept, kind of weights and size the `spread` of every figure over samples and seeds.

    Then that of the mean over concepts, where all were measured. ``others_moved`` is a sum: it has to be 0.
    """
    start: dict[str, list[float]] = {}
    groups: dict[tuple[Any, ...], list[Measured]] = {}
    for part in parts:
        if part.labels["weights"] == START:
            for concept, values in part.result["per_concept"].items():
                start.setdefault(concept, []).append(values["accuracy"])
            continue
        key = tuple(part.labels[name] for name in ("concept", "weights", "reviews"))
        groups.setdefault(key, []).append(part)
    rows: list[dict[str, Any]] = []
    for (concept, weights, size), members in groups.items():
        row = {"concept": concept, "weights": weights, "size": size, "reviews": members[0].result["reviews"]}
        row |= {name: spread(part.result[name] for part in members) for name in FIGURES}
        row["others_moved"] = sum(part.result["others_moved"] for part in members)
        rows.append({**row, "start": spread(start.get(concept, ()))})
    concepts = list(dict.fromkeys(row["concept"] for row in rows))
    for weights, size in dict.fromkeys((row["weights"], row["size"]) for row in rows):
        own = [row for row in rows if (row["weights"], row["size"]) == (weights, size)]
        if len(own) == len(concepts) > 1:
            members = [part for row in own for part in groups[row["concept"], weights, size]]
            rows.append(_mean_row(own, members, start))
    return {"rows": rows}


def _mean_row(own: Sequence[Row], members: Sequence[Measured], start: Row) -> dict[str, Any]:
    """The mean over the concepts of rows; its deviation, as theirs, is that over samples and seeds."""
    first = own[0]
    row = {"concept": MEAN, "weights": first["weights"], "size": first["size"], "reviews": first["reviews"]}
    draws: dict[tuple[Any, ...], list[Measured]] = {}
    for part in members:
        draws.setdefault((part.labels["draw"], part.labels["seed"]), []).append(part)
    whole = [parts for parts in draws.values() if len(parts) == len(own)]
    for name in FIGURES:
        row[name] = spread(statistics.mean(part.result[name] for part in parts) for parts in whole)
    by_seed = zip(*(start.get(item["concept"], ()) for item in own), strict=False)
    row["start"] = spread(map(statistics.mean, by_seed))
    return {**row, "others_moved": sum(item["others_moved"] for item in own)}


def tables(results: Results) -> list[Table]:
    columns = [
        ("new concept", "concept"),
        ("weights", "weights"),
        ("labelled reviews", "reviews"),
        ("mask and head", "learned"),
        ("linear probe", "probe"),
        ("most frequent state", "majority"),
        ("trained from the start", "start"),
        ("macro-F1, mask and head", "learned_macro_f1"),
        ("linear probe", "probe_macro_f1"),
        ("weights kept", "density"),
        ("readings of others that changed", "others_moved"),
    ]
    title = "Accuracy of a concept that was added later (per cent; ± over samples of reviews and seeds)"
    return [shown.table(title, results["rows"], columns)]


def draw(results: Results) -> go.Figure | None:
    """Accuracy against the number of labelled reviews, a panel for each concept and for their mean."""
    from sparsecbm_core.figures import Level, Panel, curves_figure

    panels = []
    for concept in dict.fromkeys(row["concept"] for row in results["rows"]):
        own = [row for row in results["rows"] if row["concept"] == concept]
        kinds: dict[str, list[Row]] = {}
        for row in sorted(own, key=lambda row: row["reviews"]):
            kinds.setdefault(row["weights"], []).append(row)
        first = next(iter(kinds.values()))
        curves = [
            shown.curve(f"mask and head, {kind} weights", rows, "reviews", "learned")
            for kind, rows in kinds.items()
        ]
        curves.append(shown.curve("linear probe", first, "reviews", "probe"))
        curves.append(shown.curve("most frequent state", first, "reviews", "majority"))
        level = first[0]["start"]
        levels = [] if level is None else [Level("trained from the start", level["mean"])]
        panels.append(Panel("Mean over concepts" if concept == MEAN else concept, curves, levels))
    return curves_figure(panels, "labelled reviews", "accuracy", log_x=True) if panels else None

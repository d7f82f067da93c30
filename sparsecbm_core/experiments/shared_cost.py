"""What training saves when subnetworks share a part: seconds and multiply-adds of a step.

Every way of masking is trained on the same batches in turn, step by step in one run, so that whatever else
the machine does meets all of them alike. A step is forward and backward; the optimiser, equal for all, is
left out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.estimate import Bench
from sparsecbm_core.experiments.experiment import Labels, Measured, Part, Results, Row, Table
from sparsecbm_core.experiments.lab import Lab, title_of
from sparsecbm_core.experiments.options import BACKBONE, Choice, check_least, chosen
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.training.losses import LabelledBatch

NAME, TITLE = "shared-cost", "What training saves when subnetworks share a part"
CLAIM = (
    "The paper: concept-specific pruning takes more training time, and sharing part of the sparsity "
    "among concepts may save some. Timed side by side: dense, scattered masks, whole rows, common rows "
    "and common layers."
)
DENSE, SCATTERED, ROWS, LAYERS = "dense", "scattered", "common rows", "common layers"
BATCHES = 4  # different ones, for their lengths differ


@dataclass(frozen=True)
class Options:
    train_split: Annotated[
        str | None, Choice("Split to take reviews from; default: train (cebab: train_exclusive).")
    ] = None
    backbone: Annotated[tuple[str, ...], Choice("Encoder, by name or folder.", repeats=True)] = (BACKBONE,)
    rows: Annotated[tuple[float, ...], Choice("Shares of a subnetwork's rows that all have in common.")] = (
        0.0,
        0.5,
        1.0,
    )
    layers: Annotated[tuple[int, ...], Choice("Numbers of first layers that all have in common.")] = (2, 4)
    batch_size: Annotated[int, Choice("Reviews a step.")] = 16
    max_length: Annotated[int, Choice("Tokens of a review at most.")] = 256
    steps: Annotated[int, Choice("Timed steps of each.")] = 8


@dataclass(frozen=True)
class Way:
    """One way of masking: ``amount`` is the share of common rows, or the number of common layers."""

    name: str
    amount: float = 0.0


def ways_of(options: Options) -> list[Way]:
    return [
        Way(DENSE),
        Way(SCATTERED),
        *(Way(ROWS, share) for share in options.rows),
        *(Way(LAYERS, depth) for depth in options.layers if depth),
    ]


def parts(lab: Lab, options: Options) -> list[Part]:
    """One for each backbone: what is held against each other has to be timed together."""
    check_least(options, steps=1, batch_size=1)
    split = _split(lab, options)
    space = lab.reviews(split).space
    if space.num_concepts < 2:
        raise InputError("subnetworks of one concept share nothing; this data has one concept")
    settings = {
        "read": lab.about(split),
        **chosen(options, "rows", "layers", "batch_size", "max_length", "steps"),
    }
    # in dense steps, about: scattered masks cost four, parts less than two
    units = (options.steps + 2) * (6 + 2 * len(ways_of(options)))
    found = []
    for backbone in options.backbone:
        labels: Labels = {"backbone": title_of(backbone), "concepts": space.num_concepts}
        found.append(Part(labels, units, settings, partial(measure, lab, options, backbone)))
    return found


def _split(lab: Lab, options: Options) -> str:
    return options.train_split or lab.splits(None, None)[0]


def measure(lab: Lab, options: Options, backbone: str, report: OnWork) -> dict[str, Any]:
    import torch

    bench = bench_of(lab, options, backbone)
    steps = {way: step_under(bench, way) for way in ways_of(options)}
    counted = {way: multiply_adds(step, bench.batches) for way, step in steps.items()}
    seconds: dict[Way, list[float]] = {way: [] for way in steps}
    total = options.steps * len(steps)
    for number in range(options.steps):
        batch = bench.batches[number % len(bench.batches)]
        for place, (way, step) in enumerate(steps.items()):
            seconds[way].append(bench.seconds(step, batch))
            report(number * len(steps) + place + 1, total, way.name)
    return {
        "ways": [
            {
                "way": way.name,
                "amount": way.amount,
                "seconds_median": statistics.median(seconds[way]),
                "seconds": seconds[way],
                "multiply_adds": counted[way],
            }
            for way in steps
        ],
        "threads": torch.get_num_threads(),
        "precision": str(bench.dtype).removeprefix("torch."),
    }


def bench_of(lab: Lab, options: Options, backbone: str) -> Bench:
    from sparsecbm_core.config import PAPER, TrainSettings

    sizes = chosen(options, "batch_size", "max_length")
    return Bench(
        lab, TrainSettings(backbone, "cbm", PAPER, dropout=0.0, **sizes), _split(lab, options), BATCHES
    )


def step_under(bench: Bench, way: Way) -> Callable[[LabelledBatch], None]:
    """Forward and backward of one batch under these masks."""
    from sparsecbm_core.experiments.trunk import branched, nested_masks, scattered_masks, trunk_weights
    from sparsecbm_core.models.sparse_cbm import SparseCBM
    from sparsecbm_core.training.masked_step import WeightsUnderMasks

    network, depth = bench.network, int(way.amount) if way.name == LAYERS else 0
    if way.name == DENSE:
        return bench.step
    if not isinstance(network, SparseCBM):
        raise InputError("masks need a concept bottleneck")
    share = way.amount if way.name == ROWS else 0.0
    masks = scattered_masks(network) if way.name == SCATTERED else nested_masks(network, share, depth)
    under = WeightsUnderMasks.of(masks, network.masked_layers, bench.dtype)
    return partial(
        bench.step,
        forward=lambda ids, mask: branched(network, ids, mask, trunk_weights(network, under, depth), depth),
    )


def multiply_adds(step: Callable[[LabelledBatch], None], batches: Sequence[LabelledBatch]) -> float:
    """Of all matrix products that a step does, zeros included; mean over the batches. Not timed: it also
    warms up."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        for batch in batches:
            step(batch)
    return counter.get_total_flops() / 2 / len(batches)


def unit(lab: Lab, options: Options) -> float:
    """A dense training step."""
    bench = bench_of(lab, options, options.backbone[0])
    bench.step(bench.batches[0])
    return statistics.median(bench.seconds(bench.step, batch) for batch in bench.batches)


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """Each way with its cost against the dense step, and against rows of which none is common."""
    rows = []
    for part in parts:
        ways = part.result["ways"]
        dense = next(way for way in ways if way["way"] == DENSE)
        apart = next((way for way in ways if way["way"] == ROWS and not way["amount"]), None)
        for way in ways:
            row = {**part.labels, "way": way["way"], "amount": way["amount"]}
            for name in ("seconds_median", "multiply_adds"):
                row[name] = way[name]
                row[f"{name}_of_dense"] = way[name] / dense[name]
                row[f"{name}_saved"] = None if apart is None else 1 - way[name] / apart[name]
            rows.append({**row, "threads": part.result["threads"], "precision": part.result["precision"]})
    return {"rows": rows}


def title(row: Row) -> str:
    if row["way"] == ROWS:
        return f"whole rows, {100 * row['amount']:.0f} % in common"
    if row["way"] == LAYERS:
        return f"whole rows, first {row['amount']:.0f} layers in common"
    return {DENSE: "dense, no masks", SCATTERED: "scattered weights"}[row["way"]]


def tables(results: Results) -> list[Table]:
    columns: list[shown.Column] = [
        ("backbone", shown.backbone),
        ("concepts", "concepts"),
        ("masks", title),
        ("seconds a step, median", shown.single("seconds_median", 2, scale=1)),
        ("times dense", shown.single("seconds_median_of_dense", 2, scale=1)),
        ("multiply-adds a step, 10⁹", shown.single("multiply_adds", 1, scale=1e-9)),
        ("times dense", shown.single("multiply_adds_of_dense", 2, scale=1)),
        ("time saved by sharing", _saved("seconds_median_saved")),
        ("multiply-adds saved", _saved("multiply_adds_saved")),
        ("threads, precision", lambda row: f"{row['threads']}, {row['precision']}"),
    ]
    return [shown.table("A training step, forward and backward", results["rows"], columns)]


def _saved(name: str) -> Callable[[Row], str]:
    """Per cent that a way saves which shares anything."""

    def write(row: Row) -> str:
        known = row["way"] not in (DENSE, SCATTERED) and row[name] is not None
        return f"{100 * row[name]:.0f} %".replace("-", "−") if known else "–"

    return write


def draw(results: Results) -> go.Figure | None:
    """Time and multiply-adds of each way, as multiples of the dense step."""
    from sparsecbm_core.figures import Dots, dots_figure

    rows = results["rows"]
    many = len({row["backbone"] for row in rows}) > 1
    titles = [title(row) + (f" ({shown.backbone(row)})" if many else "") for row in rows]
    series = [
        Dots("Time", [row["seconds_median_of_dense"] for row in rows]),
        Dots("Multiply-adds", [row["multiply_adds_of_dense"] for row in rows]),
    ]
    return dots_figure(titles, series, "of a dense step") if rows else None

"""What training saves when subnetworks share a part: seconds and multiply-adds of a step.

Every way of masking is trained on the same batches in turn, step by step in one run, so that whatever else
the machine does meets all of them alike. A step is forward and backward; the optimiser, equal for all, is
left out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments.experiment import Experiment, Labels, Measured, Part, Table
from sparsecbm_core.experiments.lab import title_of
from sparsecbm_core.experiments.options import BACKBONE, Choice
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import torch

    from sparsecbm_core.experiments.lab import Lab
    from sparsecbm_core.training.losses import LabelledBatch

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
    for name in ("steps", "batch_size"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(options, name)}")
    split = options.train_split or lab.splits(None, None)[0]
    space = lab.reviews(split).space
    if space.num_concepts < 2:
        raise InputError("subnetworks of one concept share nothing; this data has one concept")
    found = []
    for backbone in options.backbone:
        labels: Labels = {"backbone": title_of(backbone), "concepts": space.num_concepts}
        settings = {
            "read": lab.about(split),
            "rows": options.rows,
            "layers": options.layers,
            "batch_size": options.batch_size,
            "max_length": options.max_length,
            "steps": options.steps,
        }
        # in dense steps, about: scattered masks cost four, parts less than two
        units = (options.steps + 2) * (6 + 2 * len(ways_of(options)))
        found.append(Part(labels, units, settings, _measure(lab, options, backbone, split)))
    return found


def _measure(lab: Lab, options: Options, backbone: str, split: str) -> Any:
    def go(report: OnWork) -> dict[str, Any]:
        import torch

        from sparsecbm_core.training.runtime import pick_precision

        bench = _Bench(lab, options, backbone, split)
        steps = {way: bench.step(way) for way in ways_of(options)}
        counted = {way: _multiply_adds(step, bench.batches) for way, step in steps.items()}
        seconds: dict[Way, list[float]] = {way: [] for way in steps}
        total = options.steps * len(steps)
        for number in range(options.steps):
            batch = bench.batches[number % len(bench.batches)]
            for place, (way, step) in enumerate(steps.items()):
                seconds[way].append(_timed(step, batch, bench.device))
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
            "precision": str(pick_precision("auto", bench.device)).removeprefix("torch."),
        }

    return go


class _Bench:
    """A network at rest in the middle of training, and batches; steps change nothing but gradients."""

    def __init__(self, lab: Lab, options: Options, backbone: str, split: str) -> None:
        from sparsecbm_core.config import TrainSettings
        from sparsecbm_core.models.device import pick_device
        from sparsecbm_core.models.sparse_cbm import SparseCBM
        from sparsecbm_core.training.runtime import pick_precision
        from sparsecbm_core.training.start import TrainingBatches, starting_network

        settings = TrainSettings(
            backbone, "cbm", batch_size=options.batch_size, max_length=options.max_length, dropout=0.0
        )
        reviews = lab.reviews(split)
        self.device = pick_device(lab.device)
        self.dtype, self.gamma = pick_precision("auto", self.device), settings.gamma
        network, tokenizer = starting_network(settings, reviews.space, None, self.device)
        if not isinstance(network, SparseCBM):
            raise InputError("masks need a concept bottleneck")
        self.network = network.train()
        data = TrainingBatches(reviews, tokenizer, settings, self.device)
        self.batches = [data.gather(indices) for indices in data.epoch(0)[:BATCHES]]

    def step(self, way: Way) -> Callable[[LabelledBatch], None]:
        """Forward and backward of one batch under these masks."""
        import torch

        from sparsecbm_core.experiments.trunk import branched, nested_masks, scattered_masks, trunk_weights
        from sparsecbm_core.training.losses import joint_loss
        from sparsecbm_core.training.masked_step import WeightsUnderMasks

        under, depth = None, int(way.amount) if way.name == LAYERS else 0
        if way.name != DENSE:
            masks = scattered_masks(self.network)
            if way.name != SCATTERED:
                masks = nested_masks(self.network, way.amount if way.name == ROWS else 0.0, depth)
            under = WeightsUnderMasks.of(masks, self.network.masked_layers, self.dtype)

        def run(batch: LabelledBatch) -> None:
            self.network.zero_grad(set_to_none=True)
            ids, mask, precise = batch.input_ids, batch.attention_mask, self.dtype == torch.float32
            with torch.autocast(self.device.type, dtype=None if precise else self.dtype, enabled=not precise):
                if under is None:
                    output = self.network(ids, mask, None)
                else:
                    output = branched(
                        self.network, ids, mask, trunk_weights(self.network, under, depth), depth
                    )
            joint_loss(output, batch, self.gamma).total.backward()

        return run


def _timed(step: Callable[[LabelledBatch], None], batch: LabelledBatch, device: torch.device) -> float:
    from sparsecbm_core.models.device import wait_for

    started = time.perf_counter()
    step(batch)
    wait_for(device)
    return time.perf_counter() - started


def _multiply_adds(step: Callable[[LabelledBatch], None], batches: Sequence[LabelledBatch]) -> float:
    """Of all matrix products that a step does, zeros included; mean over the batches. Not timed: it also
    warms up."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        for batch in batches:
            step(batch)
    return counter.get_total_flops() / 2 / len(batches)


def unit(lab: Lab, options: Options) -> float:
    """A dense training step."""
    bench = _Bench(lab, options, options.backbone[0], options.train_split or lab.splits(None, None)[0])
    step = bench.step(Way(DENSE))
    step(bench.batches[0])
    return statistics.median(_timed(step, batch, bench.device) for batch in bench.batches)


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


def _title(row: Mapping[str, Any]) -> str:
    if row["way"] == ROWS:
        return f"whole rows, {100 * row['amount']:.0f} % in common"
    if row["way"] == LAYERS:
        return f"whole rows, first {row['amount']:.0f} layers in common"
    return {DENSE: "dense, no masks", SCATTERED: "scattered weights"}[row["way"]]


def tables(results: Mapping[str, Any]) -> list[Table]:
    rows = [
        [
            row["backbone"].rsplit("/", 1)[-1],
            f"{row['concepts']:g}",
            _title(row),
            f"{row['seconds_median']:.2f}",
            f"{row['seconds_median_of_dense']:.2f}",
            f"{row['multiply_adds'] / 1e9:.1f}",
            f"{row['multiply_adds_of_dense']:.2f}",
            "–" if row["way"] in (DENSE, SCATTERED) else _percent(row["seconds_median_saved"]),
            "–" if row["way"] in (DENSE, SCATTERED) else _percent(row["multiply_adds_saved"]),
            f"{row['threads']}, {row['precision']}",
        ]
        for row in results["rows"]
    ]
    header = ["backbone", "concepts", "masks", "seconds a step, median", "times dense"]
    header += ["multiply-adds a step, 10⁹", "times dense", "time saved by sharing", "multiply-adds saved"]
    return [Table("A training step, forward and backward", [*header, "threads, precision"], rows)]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %".replace("-", "−")


def draw(results: Mapping[str, Any]) -> go.Figure | None:
    """Time and multiply-adds of each way, as multiples of the dense step."""
    from sparsecbm_core.figures import Dots, dots_figure

    rows = results["rows"]
    many = len({row["backbone"] for row in rows}) > 1
    titles = [_title(row) + (f" ({row['backbone'].rsplit('/', 1)[-1]})" if many else "") for row in rows]
    series = [
        Dots("Time", [row["seconds_median_of_dense"] for row in rows]),
        Dots("Multiply-adds", [row["multiply_adds_of_dense"] for row in rows]),
    ]
    return dots_figure(titles, series, "of a dense step") if rows else None


EXPERIMENT = Experiment(
    name="shared-cost",
    title="What training saves when subnetworks share a part",
    claim=(
        "The paper: concept-specific pruning takes more training time, and sharing part of the sparsity "
        "among concepts may save some. Timed side by side: dense, scattered masks, whole rows, common rows "
        "and common layers."
    ),
    options=Options,
    parts=parts,
    unit=unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

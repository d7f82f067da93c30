"""What an epoch under K masks costs against a dense one, side by side in one run.

All train the same concept bottleneck (an encoder of all-MiniLM-L6's size, random weights) on the same
batches, taking turns, so that whatever else the machine does hits both. Target: at most 1.1 · K.
Masks of scattered weights, random ones of density 1/4, and a partition into whole units.

    python benchmarks/masked_epoch.py --steps 40 --output masked_epoch.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.config import TrainSettings
from sparsecbm_core.models.backbone import build_backbone
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.pruning.partition import partition, unit_groups
from sparsecbm_core.training.losses import LabelledBatch, joint_loss
from sparsecbm_core.training.masked_step import WeightsUnderMasks
from sparsecbm_core.training.optim import build_optimizer
from sparsecbm_core.training.runtime import pick_precision

ENCODER: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "vocab_size": 30522,
}


def synthetic_batches(count: int, size: int, generator: torch.Generator) -> list[LabelledBatch]:
    """Batches as the trainer makes them of CEBaB: 14 to 45 tokens, one length within a batch."""
    k, c, y = CEBAB.num_concepts, CEBAB.num_states, CEBAB.num_labels
    batches = []
    for _ in range(count):
        length = int(torch.randint(14, 46, (1,), generator=generator))
        states = torch.randint(c, (size, k), generator=generator)
        batches.append(
            LabelledBatch(
                torch.randint(1000, 30000, (size, length), generator=generator),
                torch.ones(size, length, dtype=torch.long),
                torch.nn.functional.one_hot(states, c).float(),
                torch.randint(y, (size,), generator=generator),
            )
        )
    return batches


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=40, help="batches timed of each kind")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--precision", default="auto", help="auto, float32 or bfloat16")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--output", type=Path, default=None)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    network = SparseCBM(build_backbone(dict(ENCODER)), CEBAB).train()
    settings = TrainSettings(backbone="all-MiniLM-L6 size, random weights")
    dtype = pick_precision(arguments.precision, torch.device("cpu"))
    optimizer = build_optimizer(network, settings, 1e-5)
    random = {
        name: (torch.rand(CEBAB.num_concepts, *shape, generator=generator) < 0.25).numpy()
        for name, shape in network.mask_shapes.items()
    }
    masks = MaskSet.from_bool(CEBAB.concepts, random)
    scattered = WeightsUnderMasks.of(masks, network.masked_layers, dtype)
    scores = {name: mask.reshape(len(mask), -1).astype("float32") for name, mask in random.items()}
    groups = unit_groups(network.matrices, ENCODER["num_attention_heads"])
    parts = partition(scores, network.mask_shapes, groups, 1 - 1 / CEBAB.num_concepts)
    shaped = {name: mask.reshape(-1, *network.mask_shapes[name]) for name, mask in parts.items()}
    own = MaskSet.from_bool(CEBAB.concepts, shaped)
    whole = WeightsUnderMasks.of(own, network.masked_layers, dtype)

    def step(batch: LabelledBatch, under: WeightsUnderMasks | None) -> float:
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            weights = None if under is None else under.now()
            output = network(batch.input_ids, batch.attention_mask, weights)
        optimizer.zero_grad(set_to_none=True)
        joint_loss(output, batch, settings.gamma).total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.max_grad_norm)
        optimizer.step()
        return time.perf_counter() - started

    warm_up = 5
    batches = synthetic_batches(arguments.steps + warm_up, arguments.batch_size, generator)
    dense, sparse, units = [], [], []
    for number, batch in enumerate(batches):
        times = step(batch, None), step(batch, scattered), step(batch, whole)
        if number >= warm_up:
            dense.append(times[0])
            sparse.append(times[1])
            units.append(times[2])
    ratio = sum(sparse) / sum(dense)
    k = CEBAB.num_concepts
    result = {
        "ratio": round(ratio, 3),
        "target": round(1.1 * k, 3),
        "met": ratio <= 1.1 * k,
        "ratio_of_a_partition": round(sum(units) / sum(dense), 3),
        "concepts": k,
        "dense_step_seconds_median": round(statistics.median(dense), 4),
        "masked_step_seconds_median": round(statistics.median(sparse), 4),
        "partition_step_seconds_median": round(statistics.median(units), 4),
        "steps": arguments.steps,
        "batch_size": arguments.batch_size,
        "precision": str(dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

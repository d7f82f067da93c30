"""What an epoch under K masks costs against a dense one, side by side in one run.

Both train the same concept bottleneck (an encoder of all-MiniLM-L6's size, random weights) on the same
batches, taking turns, so that whatever else the machine does hits both. Target: at most 1.1 · K.

    python benchmarks/masked_epoch.py --steps 40 --output masked_epoch.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import torch

from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.config import TrainSettings
from sparsecbm_core.models.backbone import build_backbone
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.training.losses import LabelledBatch, joint_loss
from sparsecbm_core.training.masked_step import mask_tensors, trainable_weights
from sparsecbm_core.training.optim import build_optimizer
from sparsecbm_core.training.runtime import pick_precision

ENCODER = {
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
    tensors = mask_tensors(masks, network.masked_layers, dtype)

    def step(batch: LabelledBatch, masked: bool) -> float:
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            weights = trainable_weights(masks.concepts, network.masked_layers, tensors) if masked else None
            output = network(batch.input_ids, batch.attention_mask, weights)
        optimizer.zero_grad(set_to_none=True)
        joint_loss(output, batch, settings.gamma).total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.max_grad_norm)
        optimizer.step()
        return time.perf_counter() - started

    warm_up = 5
    batches = synthetic_batches(arguments.steps + warm_up, arguments.batch_size, generator)
    dense, sparse = [], []
    for number, batch in enumerate(batches):
        times = step(batch, False), step(batch, True)
        if number >= warm_up:
            dense.append(times[0])
            sparse.append(times[1])
    ratio = sum(sparse) / sum(dense)
    k = CEBAB.num_concepts
    result = {
        "ratio": round(ratio, 3),
        "target": round(1.1 * k, 3),
        "met": ratio <= 1.1 * k,
        "concepts": k,
        "dense_step_seconds_median": round(statistics.median(dense), 4),
        "masked_step_seconds_median": round(statistics.median(sparse), 4),
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

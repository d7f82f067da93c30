"""Dense CBM, SparseCBM without exclusivity (λ = 0, as in the paper), and with it, over several seeds.

    python benchmarks/seeds.py --data DIR --runs runs/exclusive --output benchmarks/results/seeds.json

Trains on CEBaB train_exclusive and measures on dev; mean and standard deviation (n − 1) over seeds. A run
that is finished in --runs is not repeated, a stopped one is resumed, so the command can be stopped.
Both sparse variants start from the dense model of the same seed and differ in λ alone. All learn from the
annotators' vote shares, the sparse ones from their dense model as well, which the paper does not do.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from sparsecbm_core.config import PruneSettings, TrainSettings
from sparsecbm_core.data import load_cebab
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import progress_bar
from sparsecbm_core.training.trainer import Trainer

COMMON = TrainSettings(backbone="sentence-transformers/all-MiniLM-L6-v2", batch_size=16, soft_concepts=0.5)
OVERLAPPING = replace(
    COMMON,
    sparse_epochs=5,
    distillation=0.5,
    dropout=0.0,
    sparse_encoder_lr=1e-4,
    projector_lr=1e-3,
    classifier_lr=5e-3,
    prune=PruneSettings(
        exclusivity=0.0, scope="matrix", num_grads=32, grad_batch_size=8, updates=4, schedule_share=0.35
    ),
)
VARIANTS = {
    "dense": replace(COMMON, kind="cbm", dense_epochs=7, dropout=0.1, gamma=0.4),
    "overlapping": OVERLAPPING,
    "distinct": replace(OVERLAPPING, prune=replace(OVERLAPPING.prune, exclusivity=0.88)),
}
FIGURES = ("concept_accuracy", "concept_macro_f1", "task_accuracy", "task_macro_f1")


def train_variant(name: str, seed: int, data: str, split: str, runs: Path) -> ConceptModel:
    """The finished model of one variant and seed, trained if it is not there yet."""
    folder = runs / f"{name}-{seed}"
    if (folder / "model" / "metrics.json").is_file():
        return ConceptModel.from_pretrained(folder / "model")
    start = None if name == "dense" else ConceptModel.from_pretrained(runs / f"dense-{seed}" / "model")
    settings = replace(VARIANTS[name], seed=seed)
    with progress_bar(f"{name} seed {seed}") as report:
        trainer = Trainer(
            settings, load_cebab(data, split), load_cebab(data, "dev"), folder, start, on_progress=report
        )
        return trainer.run(resume=True)


def summary(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation of every figure over the seeds."""
    figures: dict[str, Any] = {}
    for name in FIGURES:
        values = [report[name] for report in reports]
        figures[name] = {
            "mean": statistics.mean(values),
            "std": statistics.stdev(values) if len(values) > 1 else None,
            "seeds": values,
        }
    overlaps = [report["jaccard"]["mean"] for report in reports if report["jaccard"]]
    if overlaps:
        figures["jaccard_mean"] = {"mean": statistics.mean(overlaps), "seeds": overlaps}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of CEBaB's JSON files")
    parser.add_argument("--split", default="train_exclusive")
    parser.add_argument("--runs", type=Path, default=Path("runs/exclusive"))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    rows = {}
    for name in arguments.variants.split(","):
        models = [
            train_variant(name, seed, arguments.data, arguments.split, arguments.runs) for seed in seeds
        ]
        rows[name] = summary([model.metrics["dev"] for model in models])
        print(name, {key: round(value["mean"], 4) for key, value in rows[name].items()})
    settings = {name: VARIANTS[name].to_dict() for name in rows}
    result = {"data": f"CEBaB {arguments.split}, dev", "seeds": seeds, "rows": rows, "settings": settings}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

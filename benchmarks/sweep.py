"""What was tried for a model: settings and dev figures of finished runs of `sparsecbm train`, in one file.

    python benchmarks/sweep.py RUN [RUN …] --output benchmarks/results/sweep.json [--data DIR]

RUN is a run's folder, with the model's config.json and metrics.json in "model". With ``--data`` (CEBaB) and
where the weights are there too, every concept is also read off the other concepts' subnetworks on all of dev.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from sparsecbm_core.data import load_cebab
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.files import read_json, write_json
from sparsecbm_core.progress import progress_bar

TRAINING: tuple[str, ...] = (
    *("kind", "seed", "dense_epochs", "sparse_epochs", "batch_size", "gamma", "dropout", "distillation"),
    *("soft_concepts", "soft_labels", "weight_average", "swap_loss", "encoder_lr", "sparse_encoder_lr"),
    *("projector_lr", "classifier_lr", "head", "locality", "interventions", "rest_penalty"),
)
PRUNING: tuple[str, ...] = (
    *("method", "criterion", "exclusivity", "sparsity", "scope", "num_grads", "grad_batch_size", "updates"),
    *("schedule_share", "calibration_reviews"),
)
FIGURES = ("concept_accuracy", "concept_macro_f1", "task_accuracy", "task_macro_f1", "ece", "examples")


def run_row(run: Path) -> dict[str, Any]:
    """One run: how it was trained, and what came of it on the split that chose its epoch."""
    config = read_json(run / "model" / "config.json")
    training: Mapping[str, Any] = config["training"]
    settings, prune = training["settings"], training["settings"].get("prune") or {}
    figures = read_json(run / "model" / "metrics.json")[training["dev_split"]]
    jaccard = figures.get("jaccard")
    return {
        "run": run.name,
        "model": config["fingerprint"],
        **{name: settings.get(name) for name in TRAINING},
        **{name: prune.get(name) for name in PRUNING},
        "init": (training.get("init") or {}).get("fingerprint"),
        "teachers": [teacher["fingerprint"] for teacher in training.get("teachers", ())],
        **{name: training[name] for name in ("data", "train_split", "train_examples", "dev_split")},
        **{name: training.get(name) for name in ("precision", "torch", "python")},
        **{name: figures[name] for name in FIGURES},
        "label_from_states": (figures.get("leakage") or {}).get("hard"),
        "jaccard": None if jaccard is None else jaccard["mean"],
        "pathway": figures.get("pathway"),
    }


def under_other_masks(run: Path, data: ReviewDataset) -> float | None:
    """What a concept's accuracy loses under another's mask, mean over pairs; None without weights, masks."""
    from sparsecbm_core.explain.swapped import cross_accuracy
    from sparsecbm_core.models.concept_model import ConceptModel

    if not (run / "model" / "masks.safetensors").is_file():
        return None
    model = ConceptModel.from_pretrained(run / "model")
    with progress_bar(run.name) as report:
        found = cross_accuracy(model, data, on_progress=lambda done, total: report(done, total, ""))
    return None if found.mean_other is None else found.mean_own - found.mean_other


def dense_spread(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation of the dense models' figures: they differ in their seed alone."""
    dense = [row for row in rows if row["kind"] == "cbm"]
    if len(dense) < 2:
        return {}
    names = (*FIGURES[:-1], "label_from_states")  # not how many reviews there are
    figures = {name: [row[name] for row in dense] for name in names}
    return {name: {"mean": fmean(found), "std": stdev(found)} for name, found in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--data", help="folder of CEBaB's JSON files")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    dev = load_cebab(arguments.data, "dev") if arguments.data else None
    rows = []
    for run in arguments.runs:
        lost = None if dev is None else under_other_masks(run, dev)
        rows.append({**run_row(run), "lost_under_other_masks": lost})
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.output, {"dense": dense_spread(rows), "runs": rows})


if __name__ == "__main__":
    main()

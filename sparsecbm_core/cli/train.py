"""``sparsecbm train``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from sparsecbm_core.cli.options import DataSource, DeviceOption, takes_data
from sparsecbm_core.config import (
    CRITERIA,
    HEADS,
    KINDS,
    METHODS,
    PRECISIONS,
    SCOPES,
    PruneSettings,
    TrainSettings,
    assigned,
)
from sparsecbm_core.errors import InputError
from sparsecbm_core.files import read_json


@takes_data
def train(
    reviews: DataSource,
    output: Annotated[Path, typer.Option(help="Folder for the run: log, state, and the model in 'model/'.")],
    train_split: Annotated[
        str | None, typer.Option(help="Split to train on; default: train (cebab: train_inclusive).")
    ] = None,
    dev_split: Annotated[
        str | None, typer.Option(help="Split that chooses the best epoch; default: dev.")
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="Encoder: Hugging Face name or folder; docs/encoders.md says which.")
    ] = "sentence-transformers/all-MiniLM-L6-v2",
    kind: Annotated[str, typer.Option(help=f"One of: {', '.join(KINDS)}.")] = TrainSettings.kind,
    head: Annotated[
        str,
        typer.Option(
            help=f"What stands between concepts and label: {', '.join(HEADS)}. With the honest one a concept "
            "that is not mentioned adds nothing, and what no concept carries is a part of its own."
        ),
    ] = TrainSettings.head,
    more: Annotated[
        list[Path] | None,
        typer.Option(
            help="Further training reviews: a CSV file with the same concepts, states and labels (its label "
            "column by --label-column). Can be given several times."
        ),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint to start the sparse phase from: of a dense CBM, or of a sparse one, whose "
            "masks stay; with --kind sequential or independent a checkpoint of these kinds, whose concepts "
            "get another label head."
        ),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            help="Checkpoint that the sparse phase learns from, with --set distillation=; given several "
            "times, the mean of what they say. Default: the model that it starts from."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal runs on the CPU.")] = TrainSettings.seed,
    dense_epochs: Annotated[int, typer.Option(help="Epochs of the dense CBM.")] = TrainSettings.dense_epochs,
    sparse_epochs: Annotated[int, typer.Option(help="Epochs under masks.")] = TrainSettings.sparse_epochs,
    batch_size: Annotated[int, typer.Option(help="Reviews per step.")] = TrainSettings.batch_size,
    gamma: Annotated[float, typer.Option(help="γ, weight of the concept loss.")] = TrainSettings.gamma,
    sparsity: Annotated[float, typer.Option(help="Target sparsity per concept.")] = PruneSettings.sparsity,
    exclusivity: Annotated[
        float, typer.Option(help="λ: 0 is the paper's recipe, larger keeps subnetworks apart.")
    ] = PruneSettings.exclusivity,
    criterion: Annotated[
        str, typer.Option(help=f"What decides which weights a concept keeps: {', '.join(CRITERIA)}.")
    ] = PruneSettings.criterion,
    scope: Annotated[
        str, typer.Option(help=f"Rank weights over: {', '.join(SCOPES)}.")
    ] = PruneSettings.scope,
    precision: Annotated[
        str, typer.Option(help=f"One of: {', '.join(PRECISIONS)}.")
    ] = TrainSettings.precision,
    method: Annotated[
        str,
        typer.Option(
            help=f"How masks are made: {', '.join(METHODS)}. A partition gives whole units to one concept "
            "each and solves for their weights: subnetworks then share nothing."
        ),
    ] = PruneSettings.method,
    label_votes: Annotated[
        bool,
        typer.Option(
            help="cebab: train also on reviews whose annotators agreed on no label, by their votes; "
            "--set soft_labels= mixes the votes into the other labels."
        ),
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting as name=value, for example --set damp=1e-6."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the state in the output folder.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Start anew where the output folder holds a run.")] = False,
    device: DeviceOption = None,
) -> None:
    """Train a SparseCBM, a dense CBM (--kind cbm, sequential or independent) or a plain classifier (--kind
    standard).

    The run can be stopped at any time and continued with --resume, to the same result.
    """
    from sparsecbm_core.data.open import joined
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar
    from sparsecbm_core.training.trainer import Trainer

    _quiet()
    settings = parse_settings(
        {
            "backbone": backbone,
            "kind": kind,
            "head": head,
            "seed": seed,
            "dense_epochs": dense_epochs,
            "sparse_epochs": sparse_epochs,
            "batch_size": batch_size,
            "gamma": gamma,
            "precision": precision,
            "prune": {
                "sparsity": sparsity,
                "exclusivity": exclusivity,
                "method": method,
                "criterion": criterion,
                "scope": scope,
            },
        },
        setting or [],
    )
    splits = reviews.default_splits()
    train_split, dev_split = train_split or splits[0], dev_split or splits[-1]
    model_folder = output / "model"
    if _is_finished(output, resume, overwrite):
        typer.echo(f"{output} is finished; --overwrite starts it anew", err=True)
        _say_scores(model_folder, dev_split, read_json(model_folder / "metrics.json"))
        return
    train_data = reviews.open(train_split, label_votes=label_votes, to_train=True)
    for file in more or []:
        train_data = joined(train_data, reviews.beside(file, train_data.space))
    dev_data = reviews.open(dev_split, space=train_data.space)
    if dev_data.fingerprint() == train_data.fingerprint():
        raise InputError(
            "train and dev are the same reviews: give two splits (csv: a folder with a file each)"
        )
    start = ConceptModel.from_pretrained(init, device) if init is not None else None
    teachers = [ConceptModel.from_pretrained(folder, device) for folder in teacher or []]
    with progress_bar("training") as report:
        trainer = Trainer(
            settings, train_data, dev_data, output, start, device, on_progress=report, teachers=teachers
        )
        model = trainer.run(resume=resume)
    _say_scores(model_folder, dev_split, model.metrics)


def _is_finished(output: Path, resume: bool, overwrite: bool) -> bool:
    """Whether there is nothing to resume; `InputError` where a run would be lost."""
    from sparsecbm_core.training.trainer import STATE_FILE

    if resume and overwrite:
        raise InputError("--resume goes on with a run and --overwrite starts anew: give one of them")
    stopped, finished = (output / STATE_FILE).exists(), (output / "model" / "config.json").exists()
    if (stopped or finished) and not (resume or overwrite):
        what, also = ("stopped", "--resume to go on, ") if stopped else ("finished", "")
        raise InputError(
            f"{output} holds a {what} run; add {also}--overwrite to start anew, or choose another folder"
        )
    return resume and finished and not stopped


def _say_scores(model: Path, split: str, metrics: Mapping[str, Any]) -> None:
    scores = metrics.get(split, {})
    shown = [
        f"{title} accuracy {scores[key]:.4f}"
        for title, key in (("concept", "concept_accuracy"), ("task", "task_accuracy"))
        if scores.get(key) is not None
    ]
    typer.echo(f"{model}: {split} " + (", ".join(shown) or "not measured"))


def parse_settings(values: dict[str, Any], assignments: list[str]) -> TrainSettings:
    """Settings from options and ``name=value`` pairs, which may name pruning settings as well."""
    prune_names = {item.name for item in fields(PruneSettings)}
    names = {item.name for item in fields(TrainSettings)} - {"prune"}
    for name, value in assigned(assignments, names | prune_names).items():
        (values["prune"] if name in prune_names else values)[name] = value
    return TrainSettings.from_dict(values)


def _quiet() -> None:
    """No loading bars and reports of the library behind; what goes wrong is an error of ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()

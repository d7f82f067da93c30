"""``sparsecbm train``."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from sparsecbm_core.cli.options import DataSource, DeviceOption, takes_data
from sparsecbm_core.config import CRITERIA, KINDS, PRECISIONS, SCOPES, PruneSettings, TrainSettings
from sparsecbm_core.errors import InputError, one_of


@takes_data
def train(
    source: DataSource,
    output: Annotated[Path, typer.Option(help="Folder for the run: log, state, and the model in 'model/'.")],
    train_split: Annotated[str, typer.Option(help="Split to train on.")] = "train_inclusive",
    dev_split: Annotated[str, typer.Option(help="Split that chooses the best epoch.")] = "dev",
    backbone: Annotated[
        str, typer.Option(help="Encoder: Hugging Face name or folder (BERT, DistilBERT, RoBERTa, OPT).")
    ] = "sentence-transformers/all-MiniLM-L6-v2",
    kind: Annotated[str, typer.Option(help=f"One of: {', '.join(KINDS)}.")] = "sparse",
    init: Annotated[
        Path | None, typer.Option(help="Dense CBM checkpoint to start the sparse phase from.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal runs on the CPU.")] = 0,
    dense_epochs: Annotated[int, typer.Option(help="Epochs of the dense CBM.")] = 7,
    sparse_epochs: Annotated[int, typer.Option(help="Epochs under masks.")] = 5,
    batch_size: Annotated[int, typer.Option(help="Reviews per step.")] = 16,
    gamma: Annotated[float, typer.Option(help="γ, weight of the concept loss.")] = TrainSettings.gamma,
    sparsity: Annotated[float, typer.Option(help="Target sparsity per concept.")] = 0.75,
    exclusivity: Annotated[
        float, typer.Option(help="λ: 0 is the paper's recipe, larger keeps subnetworks apart.")
    ] = PruneSettings.exclusivity,
    criterion: Annotated[str, typer.Option(help=f"One of: {', '.join(CRITERIA)}.")] = "second_order",
    scope: Annotated[str, typer.Option(help=f"Rank weights over: {', '.join(SCOPES)}.")] = "global",
    precision: Annotated[str, typer.Option(help=f"One of: {', '.join(PRECISIONS)}.")] = "auto",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting as name=value, for example --set damp=1e-6."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the state in the output folder.")] = False,
    device: DeviceOption = None,
) -> None:
    """Train a SparseCBM, a dense CBM (--kind cbm) or a plain classifier (--kind standard).

    The run can be stopped at any time and continued with --resume, to the same result.
    """
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar
    from sparsecbm_core.training.trainer import STATE_FILE, Trainer

    _quiet()
    settings = parse_settings(
        {
            "backbone": backbone,
            "kind": kind,
            "seed": seed,
            "dense_epochs": dense_epochs,
            "sparse_epochs": sparse_epochs,
            "batch_size": batch_size,
            "gamma": gamma,
            "precision": precision,
            "prune": {
                "sparsity": sparsity,
                "exclusivity": exclusivity,
                "criterion": criterion,
                "scope": scope,
            },
        },
        setting or [],
    )
    train_data = source.open(train_split)
    dev_data = source.open(dev_split, space=train_data.space)
    if dev_data.fingerprint() == train_data.fingerprint():
        raise InputError(
            "train and dev are the same reviews: give two splits (csv: a folder with a file each)"
        )
    if (output / STATE_FILE).exists() and not resume:
        raise InputError(f"{output} holds a stopped run; add --resume to go on, or choose another folder")
    start = ConceptModel.from_pretrained(init) if init is not None else None
    with progress_bar("training") as report:
        trainer = Trainer(settings, train_data, dev_data, output, start, device, on_progress=report)
        model = trainer.run(resume=resume)
    scores = model.metrics[dev_split]
    concept = scores["concept_accuracy"]
    typer.echo(
        f"{output / 'model'}: {dev_split} "
        + (f"concept accuracy {concept:.4f}, " if concept is not None else "")
        + f"task accuracy {scores['task_accuracy']:.4f}"
    )


def parse_settings(values: dict[str, Any], assignments: list[str]) -> TrainSettings:
    """Settings from options and ``name=value`` pairs, which may name pruning settings as well."""
    prune_names = {item.name for item in fields(PruneSettings)}
    names = {item.name for item in fields(TrainSettings)} - {"prune"}
    for assignment in assignments:
        name, separator, raw = assignment.partition("=")
        if not separator or name not in names | prune_names:
            raise InputError(one_of(assignment, sorted(names | prune_names), "setting (as name=value)"))
        try:
            value = json.loads(raw)
        except ValueError:
            value = raw
        (values["prune"] if name in prune_names else values)[name] = value
    try:
        return TrainSettings.from_dict(values)
    except TypeError as error:
        raise InputError(f"a setting has a value of the wrong type: {error}") from error


def _quiet() -> None:
    """No loading bars and reports of the library behind; what goes wrong is an error of ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()

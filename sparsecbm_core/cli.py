"""The same core from a terminal: data stats, train, evaluate, explain."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sparsecbm_core.config import CRITERIA, KINDS, PRECISIONS, SCOPES, PruneSettings, TrainSettings
from sparsecbm_core.errors import InputError, SparseCBMError, one_of

app = typer.Typer(
    name="sparsecbm",
    help="Concept bottleneck models with one sparse subnetwork per concept: train, measure, explain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
INTERRUPTED = 130  # what typer makes of Ctrl-C
data_app = typer.Typer(help="Look at data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")


class DatasetName(StrEnum):
    """Data sets the commands can read."""

    cebab = "cebab"
    imdb = "imdb"
    csv = "csv"


DatasetOption = Annotated[DatasetName, typer.Option(help="Form of the data.")]
DataOption = Annotated[
    str | None,
    typer.Option(
        envvar="SPARSECBM_DATA",
        help="Folder of the data set's files (csv: the file). Without it CEBaB comes from the Hugging Face "
        "hub, where the 'datasets' library is installed.",
    ),
]
TextColumn = Annotated[str, typer.Option(help="csv: column of the text.")]
LabelColumn = Annotated[str, typer.Option(help="csv: column of the label.")]
ConceptColumns = Annotated[str | None, typer.Option(help="csv: concept columns, separated by commas.")]
StateMap = Annotated[
    str | None, typer.Option(help="csv: how the file spells states, as 'pos=Positive,neg=Negative'.")
]
OutputOption = Annotated[Path | None, typer.Option(help="JSON file to write; default: standard output.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda or mps; default: the best there is.")]


@data_app.command("stats")
def data_stats(
    dataset: DatasetOption = DatasetName.cebab,
    data: DataOption = None,
    splits: Annotated[
        str, typer.Option(help="Splits to count, separated by commas.")
    ] = "train_exclusive,dev",
    output: OutputOption = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    concept_columns: ConceptColumns = None,
    state_map: StateMap = None,
) -> None:
    """Print the paper's Table 1 for the given data: rows, labels, and states per concept."""
    from sparsecbm_core.data import dataset_stats, format_stats
    from sparsecbm_core.data.open import open_dataset

    csv = csv_options(text_column, label_column, concept_columns, state_map)
    stats = dataset_stats(
        [open_dataset(dataset.value, data, split.strip(), csv=csv) for split in splits.split(",")]
    )
    if output is not None:
        _write(output, stats.to_dict())
    typer.echo(format_stats(stats))


@app.command()
def train(
    output: Annotated[Path, typer.Option(help="Folder for the run: log, state, and the model in 'model/'.")],
    dataset: DatasetOption = DatasetName.cebab,
    data: DataOption = None,
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
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    concept_columns: ConceptColumns = None,
    state_map: StateMap = None,
) -> None:
    """Train a SparseCBM, a dense CBM (--kind cbm) or a plain classifier (--kind standard).

    The run can be stopped at any time and continued with --resume, to the same result.
    """
    from sparsecbm_core.data.open import open_dataset
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
    csv = csv_options(text_column, label_column, concept_columns, state_map)
    train_data = open_dataset(dataset.value, data, train_split, csv=csv)
    dev_data = open_dataset(dataset.value, data, dev_split, csv=csv, space=train_data.space)
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


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="Checkpoint folder.")],
    dataset: DatasetOption = DatasetName.cebab,
    data: DataOption = None,
    split: Annotated[str, typer.Option(help="Split to measure on.")] = "dev",
    output: OutputOption = None,
    batch_size: Annotated[int, typer.Option(help="Reviews per batch; changes nothing but speed.")] = 32,
    record: Annotated[
        str | None, typer.Option(help="Also keep the report in the model's metrics.json under this name.")
    ] = None,
    device: DeviceOption = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    concept_columns: ConceptColumns = None,
    state_map: StateMap = None,
) -> None:
    """Accuracy, F1, leakage, calibration, sparsity and overlap of a model on a labelled split."""
    from sparsecbm_core.data.open import open_dataset
    from sparsecbm_core.evaluate.report import evaluate_model
    from sparsecbm_core.models.checkpoint import record_metrics
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar

    loaded = ConceptModel.from_pretrained(model, device)
    csv = csv_options(text_column, label_column, concept_columns, state_map)
    examples = open_dataset(dataset.value, data, split, csv=csv, space=loaded.space)
    with progress_bar("evaluating") as report:
        result = evaluate_model(
            loaded,
            examples,
            batch_size,
            lambda done, total: report(done, total, f"{split}: {done} of {total}"),
        )
    if record is not None:
        record_metrics(model, record, result)
    _emit(output, result)


@app.command()
def explain(
    model: Annotated[Path, typer.Option(help="Checkpoint folder.")],
    text: Annotated[str | None, typer.Option(help="The review to explain.")] = None,
    file: Annotated[Path | None, typer.Option(help="UTF-8 file with one review a line.")] = None,
    method: Annotated[
        str, typer.Option(help="gradient, input_x_gradient, integrated_gradients or occlusion.")
    ] = "integrated_gradients",
    steps: Annotated[int, typer.Option(help="Steps of integrated gradients.")] = 32,
    pieces: Annotated[bool, typer.Option(help="Score raw word pieces instead of words.")] = False,
    output: OutputOption = None,
    device: DeviceOption = None,
) -> None:
    """Why this label: contributions of every concept, and of every word to each concept.

    One review gives one JSON object; --file gives {"schema_version", "reviews": [...]}.
    """
    from sparsecbm_core.explain import explain_many
    from sparsecbm_core.explain.results import SCHEMA_VERSION
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar

    texts = _texts(text, file)
    loaded = ConceptModel.from_pretrained(model, device)
    with progress_bar("explaining") as report:
        results = explain_many(
            loaded,
            texts,
            method,
            steps=steps,
            pieces=pieces,
            on_progress=lambda done, total: report(done, total, f"review {done} of {total}"),
        )
        reviews = [result.to_dict() for result in results]
    _emit(output, reviews[0] if text is not None else {"schema_version": SCHEMA_VERSION, "reviews": reviews})


def _quiet() -> None:
    """No loading bars and reports of the library behind; what goes wrong is an error of ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


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


def csv_options(text: str, label: str, concepts: str | None, states: str | None) -> dict[str, Any]:
    """How to read a CSV, from the command line's options."""
    mapping = None
    if states:
        pairs = [item.partition("=") for item in states.split(",")]
        if any(not separator for _, separator, _ in pairs):
            raise InputError(f"--state-map {states!r} is not of the form 'pos=Positive,neg=Negative'")
        mapping = {raw.strip(): name.strip() for raw, _, name in pairs}
    columns = [name.strip() for name in concepts.split(",")] if concepts else None
    return {
        "text_column": text,
        "label_column": label,
        "concept_columns": columns,
        "state_map": mapping,
    }


def _texts(text: str | None, file: Path | None) -> list[str]:
    if (text is None) == (file is None):
        raise InputError("give the review with --text, or a file of reviews with --file (one of the two)")
    if text is not None:
        return [text]
    try:
        # Not splitlines(): a review may hold U+2028 and its like.
        lines = [line for line in Path(str(file)).read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    if not lines:
        raise InputError(f"{file} holds no review; write one a line")
    return lines


def _emit(output: Path | None, data: dict[str, Any]) -> None:
    if output is None:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        _write(output, data)


def _write(output: Path, data: dict[str, Any]) -> None:
    from sparsecbm_core.models.checkpoint import write_json

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_json(output, data)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error}") from error
    typer.echo(f"wrote {output}", err=True)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; bad input gives one line on standard error and exit code 2."""
    try:
        result = app(args=arguments, prog_name="sparsecbm", standalone_mode=False)
    except (SparseCBMError, OSError) as error:
        print(f"sparsecbm: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except typer.TyperException as error:  # a usage error; without arguments the help is already shown
        describe = getattr(error, "format_message", None)
        message = describe() if describe is not None else str(error)
        command = getattr(getattr(error, "ctx", None), "command_path", "sparsecbm")
        if message:
            print(f"sparsecbm: {' '.join(message.split())} (see {command} --help)", file=sys.stderr)
        return 2
    if result == INTERRUPTED:
        print("sparsecbm: stopped", file=sys.stderr)
    return result if isinstance(result, int) else 0

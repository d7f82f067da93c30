"""``sparsecbm evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sparsecbm_core.cli.options import DataSource, DeviceOption, ModelOption, OutputOption, takes_data
from sparsecbm_core.cli.output import emit
from sparsecbm_core.errors import InputError


@takes_data
def evaluate(
    reviews: DataSource,
    model: ModelOption,
    split: Annotated[str, typer.Option(help="Split to measure on.")] = "dev",
    output: OutputOption = None,
    batch_size: Annotated[int, typer.Option(help="Reviews per batch; changes nothing but speed.")] = 32,
    record: Annotated[
        str | None, typer.Option(help="Also keep the report in the model's metrics.json under this name.")
    ] = None,
    labels_only: Annotated[
        bool, typer.Option("--labels-only", help="csv: the file has labels and no concepts.")
    ] = False,
    device: DeviceOption = None,
) -> None:
    """Accuracy, F1, leakage, calibration, sparsity and overlap of a model on a labelled split."""
    from sparsecbm_core.evaluate.labels import evaluate_labels
    from sparsecbm_core.evaluate.report import evaluate_model
    from sparsecbm_core.models.checkpoint import local_folder, record_metrics
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar

    if record is not None:
        local_folder(model)  # said before anything is measured
    if labels_only and record is not None:
        raise InputError(
            "--record keeps what was measured of concepts and label, --labels-only has no concepts"
        )
    loaded = ConceptModel.from_pretrained(model, device)
    if labels_only:
        texts, labels = reviews.labels(loaded.space)
        with progress_bar("evaluating") as report:
            of_labels = evaluate_labels(
                loaded,
                texts,
                labels,
                Path(str(reviews.data)).stem,
                lambda done, total: report(done, total, ""),
            )
        emit(output, of_labels.to_dict())
        return
    examples = reviews.open(split, space=loaded.space)
    with progress_bar("evaluating") as report:
        result = evaluate_model(
            loaded,
            examples,
            batch_size,
            lambda done, total: report(done, total, f"{split}: {done} of {total}"),
        ).to_dict()
    if record is not None:
        record_metrics(model, record, result)
    emit(output, result)

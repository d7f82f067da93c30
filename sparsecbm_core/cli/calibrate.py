"""``sparsecbm calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sparsecbm_core.cli.options import DeviceOption, ModelOption


def calibrate(
    model: ModelOption,
    file: Annotated[Path, typer.Option(help="CSV of labelled texts that training did not see.")],
    output: Annotated[Path, typer.Option(help="Folder for the calibrated model.")],
    text_column: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    label_column: Annotated[str, typer.Option(help="Column of the label.")] = "label",
    device: DeviceOption = None,
) -> None:
    """Make the label as sure as it is right: one temperature, fitted on labelled texts and built into a copy.

    No label and no concept changes. The copy is another model: evaluate it anew.
    """
    from sparsecbm_core.data.table import load_labels
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar
    from sparsecbm_core.training.calibrate import calibrated

    loaded = ConceptModel.from_pretrained(model, device)
    texts, labels = load_labels(file, text_column, label_column, loaded.space.labels)
    with progress_bar("calibrating") as report:
        found = calibrated(loaded, texts, labels, file.stem, lambda done, total: report(done, total, ""))
    found.save_pretrained(output)
    record = found.training["label_temperature"]
    typer.echo(
        f"{output}: temperature {record['temperature']:.3f} from {len(texts)} texts; calibration error "
        f"{record['ece_before']:.3f} -> {record['ece_after']:.3f}"
    )

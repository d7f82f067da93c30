"""``sparsecbm data``."""

from __future__ import annotations

from typing import Annotated

import typer

from sparsecbm_core.cli.options import DataSource, OutputOption, takes_data
from sparsecbm_core.cli.output import write


@takes_data
def stats(
    source: DataSource,
    splits: Annotated[
        str, typer.Option(help="Splits to count, separated by commas.")
    ] = "train_exclusive,dev",
    output: OutputOption = None,
) -> None:
    """Print the paper's Table 1 for the given data: rows, labels, and states per concept."""
    from sparsecbm_core.data import dataset_stats, format_stats

    counted = dataset_stats([source.open(split.strip()) for split in splits.split(",")])
    if output is not None:
        write(output, counted.to_dict())
    typer.echo(format_stats(counted))

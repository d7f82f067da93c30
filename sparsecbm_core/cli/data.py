"""``sparsecbm data``."""

from __future__ import annotations

from typing import Annotated

import typer

from sparsecbm_core.cli.options import DataSource, OutputOption, listed, takes_data
from sparsecbm_core.cli.output import write


@takes_data
def stats(
    reviews: DataSource,
    splits: Annotated[
        str | None,
        typer.Option(
            help="Splits to count, separated by commas; default: train, dev (cebab: train_exclusive, dev)."
        ),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Print the paper's Table 1 for the given data: rows, labels, and states per concept."""
    from sparsecbm_core.data import dataset_stats, format_stats

    names = listed(splits) or reviews.default_splits(cebab="train_exclusive")
    first = reviews.open(names[0])  # its labels, where the data do not say which there are
    counted = dataset_stats([first, *(reviews.open(name, space=first.space) for name in names[1:])])
    if output is not None:
        write(output, counted.to_dict())
    typer.echo(format_stats(counted))

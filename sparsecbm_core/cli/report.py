"""``sparsecbm report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparsecbm_core.cli.options import (
    DataSource,
    DeviceOption,
    ModelOption,
    OutputOption,
    listed,
    takes_data,
)
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.trust.options import FILE_NAME, PARTS, ReportOptions
from sparsecbm_core.explain.tokens.registry import METHODS

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.context import Context
    from sparsecbm_core.evaluate.trust.results import ModelReport
    from sparsecbm_core.models.concept_model import ConceptModel

DEFAULTS = ReportOptions()


@takes_data
def report(
    reviews: DataSource,
    model: ModelOption,
    split: Annotated[str, typer.Option(help="Split to measure on.")] = "dev",
    output: OutputOption = None,
    save: Annotated[
        bool, typer.Option("--save", help="Also keep the report beside the model, for its card in the app.")
    ] = False,
    parts: Annotated[
        str, typer.Option(help=f"What to measure, separated by commas: {', '.join(PARTS)}.")
    ] = "",
    limit: Annotated[
        int | None, typer.Option(help="Take at least so many reviews, in whole groups; default: all.", min=1)
    ] = None,
    methods: Annotated[
        str, typer.Option(help="Token methods of the part 'words', separated by commas; default: all.")
    ] = "",
    word_reviews: Annotated[
        int, typer.Option(help="Reviews for each token method.", min=1)
    ] = DEFAULTS.word_reviews,
    subnetwork_reviews: Annotated[
        int, typer.Option(help="Reviews for the part 'subnetworks'.", min=1)
    ] = DEFAULTS.subnetwork_reviews,
    reference_split: Annotated[
        str | None,
        typer.Option(
            help="Split whose mean activations stand for a concept set by hand, beside plain ones and zeros: "
            "the training split."
        ),
    ] = None,
    reference_reviews: Annotated[
        int, typer.Option(help="Reviews of that split to read.", min=1)
    ] = DEFAULTS.reference_reviews,
    interventions: Annotated[
        Path | None, typer.Option(help="Add the figures of this file, made by intervene-eval.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Resamplings of an interval.", min=1)] = DEFAULTS.draws,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = DEFAULTS.seed,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Measure anew what is there of the parts asked for.")
    ] = False,
    device: DeviceOption = None,
) -> None:
    """Measure how far a model can be trusted: intervals, leakage, calibration, subnetworks, word scores.

    Takes minutes. Each part is kept when it is done: Ctrl-C stops, and the same command goes on.
    """
    from sparsecbm_core.cli.output import emit
    from sparsecbm_core.evaluate.trust.file import read_interventions, read_report
    from sparsecbm_core.evaluate.trust.plan import checked
    from sparsecbm_core.models.checkpoint import local_folder
    from sparsecbm_core.models.concept_model import ConceptModel

    options = ReportOptions(
        parts=tuple(listed(parts)) or PARTS,
        word_methods=tuple(listed(methods)) or tuple(METHODS),
        word_reviews=word_reviews,
        subnetwork_reviews=subnetwork_reviews,
        reference_reviews=reference_reviews,
        draws=draws,
        seed=seed,
    )
    places = _places(output, local_folder(model) if save else None)
    loaded = ConceptModel.from_pretrained(model, device)
    context = _context(loaded, reviews, split, limit, reference_split, options)
    found = next((read_report(path) for path in places if path.is_file()), None)
    begun = checked(context, found, overwrite)
    if interventions is not None:
        begun = begun.with_part("interventions", read_interventions(interventions, loaded.fingerprint))
    result = _measured(context, begun, places)
    if not places:
        emit(None, result.to_dict())


def _places(output: Path | None, folder: Path | None) -> list[Path]:
    """Where the report is written after every part."""
    if output is not None and output.is_dir():
        raise InputError(f"{output} is a folder; --output must be a JSON file")
    return [path for path in (output, folder and folder / FILE_NAME) if path is not None]


def _context(
    model: ConceptModel,
    reviews: DataSource,
    split: str,
    limit: int | None,
    reference_split: str | None,
    options: ReportOptions,
) -> Context:
    from sparsecbm_core.evaluate.common import sample
    from sparsecbm_core.evaluate.trust.context import Context, sample_groups

    data = sample_groups(reviews.open(split, model.space), limit, options.seed)
    reference = None
    if reference_split is not None:
        reference = sample(
            reviews.open(reference_split, model.space), options.reference_reviews, options.seed
        )
    return Context(model, data, options, reference, {} if limit is None else {"limit": limit})


def _measured(context: Context, begun: ModelReport, places: list[Path]) -> ModelReport:
    """Everything measured, and kept after each part; `Stopped` after Ctrl-C says what is there."""
    from sparsecbm_core.evaluate.parts import outlook, stopped
    from sparsecbm_core.evaluate.trust.file import save_report
    from sparsecbm_core.evaluate.trust.plan import measure, missing, plan, seconds_a_read
    from sparsecbm_core.progress import progress_bar

    count, left = len(plan(context)), missing(context, begun)
    if left:
        seconds = seconds_a_read(context) * sum(part.units for part in left)
        how = "going by a few reviews just read"
        typer.echo(outlook("report", count - len(left), count, seconds, how), err=True)
    latest = begun

    def keep(result: ModelReport) -> None:
        nonlocal latest
        latest = result
        for path in places:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                save_report(result, path)
            except OSError as error:
                raise InputError(f"cannot write {path}: {error}") from error

    keep(begun)
    try:
        with progress_bar("report") as say:
            measure(context, begun, keep, say)
    except KeyboardInterrupt:
        raise stopped(count - len(missing(context, latest)), count, next(iter(places), None)) from None
    for path in places:
        typer.echo(f"wrote {path}", err=True)
    return latest

"""``sparsecbm patch``: corrections as files, put into a model and taken out again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparsecbm_core.cli.options import ModelOption, OutputOption
from sparsecbm_core.cli.output import emit
from sparsecbm_core.errors import InputError

if TYPE_CHECKING:
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.models.concept_model import ConceptModel

PatchArgument = Annotated[Path, typer.Argument(help="Patch file.", show_default=False)]
FolderOption = Annotated[Path, typer.Option(help="Folder to write the model to; it must not hold one.")]

patch_app = typer.Typer(help="Look at corrections, and put them into a model.", no_args_is_help=True)


@patch_app.command()
def show(patch: PatchArgument, output: OutputOption = None) -> None:
    """What a patch corrects, for which model and reviews, and how many weights of each matrix it flips."""
    from sparsecbm_core.intervene.patch import Patch

    found = Patch.load(patch)
    flips = [
        {"concept": concept, "matrix": matrix, "flips": int(indices.size)}
        for concept, matrix, indices in found.edit
    ]
    edit = {"edit": found.edit.fingerprint(), "flips": found.edit.size, "matrices": flips}
    emit(output, {**found.header(), **edit})


@patch_app.command()
def apply(
    patch: PatchArgument,
    model: ModelOption,
    output: FolderOption,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Apply a patch for similar reviews to all reviews.")
    ] = False,
) -> None:
    """Write a model with the patch in its masks. Measure it anew: figures are not carried over."""
    from sparsecbm_core.intervene.applied import apply_patch

    _write(patch, model, output, partial(apply_patch, everywhere=everywhere))


@patch_app.command()
def revert(patch: PatchArgument, model: ModelOption, output: FolderOption) -> None:
    """Write a model without a patch that it carries, whatever was applied since."""
    from sparsecbm_core.intervene.applied import revert_patch

    _write(patch, model, output, revert_patch)


def _write(
    path: Path, model: Path, output: Path, change: Callable[[ConceptModel, Patch], ConceptModel]
) -> None:
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.models.concept_model import ConceptModel

    patch = Patch.load(path)
    if (output / "config.json").exists():
        raise InputError(f"{output} holds a model; choose another folder")
    loaded = ConceptModel.from_pretrained(model, "cpu")
    changed = change(loaded, patch)
    counts = [] if loaded.masks is None else patch.edit.counts(loaded.masks)
    changed.save_pretrained(output)
    dropped, grown = sum(count.dropped for count in counts), sum(count.grown for count in counts)
    typer.echo(f"{output}: {', '.join(patch.edit.concepts)}, {dropped} weights dropped and {grown} grown")

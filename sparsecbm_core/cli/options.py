"""Options that several commands take, and the data set they open together."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from sparsecbm_core.errors import InputError

if TYPE_CHECKING:
    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.data.types import ReviewDataset

OutputOption = Annotated[Path | None, typer.Option(help="JSON file to write; default: standard output.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda or mps; default: the best there is.")]
ModelOption = Annotated[Path, typer.Option(help="Checkpoint folder.")]


class DatasetName(StrEnum):
    """Data sets the commands can read."""

    cebab = "cebab"
    imdb = "imdb"
    csv = "csv"


@dataclass(frozen=True)
class DataSource:
    """Labelled reviews as the command line names them; each field is an option."""

    dataset: Annotated[DatasetName, typer.Option(help="Form of the data.")] = DatasetName.cebab
    data: Annotated[
        str | None,
        typer.Option(
            envvar="SPARSECBM_DATA",
            help="Folder of the data set's files (csv: the file). Without it CEBaB comes from the Hugging "
            "Face hub, where the 'datasets' library is installed.",
        ),
    ] = None
    text_column: Annotated[str, typer.Option(help="csv: column of the text.")] = "text"
    label_column: Annotated[str, typer.Option(help="csv: column of the label.")] = "label"
    concept_columns: Annotated[
        str | None, typer.Option(help="csv: concept columns, separated by commas.")
    ] = None
    state_map: Annotated[
        str | None, typer.Option(help="csv: how the file spells states, as 'pos=Positive,neg=Negative'.")
    ] = None

    def open(self, split: str, space: ConceptSpace | None = None) -> ReviewDataset:
        """One split; ``space`` is the model's, if there is one."""
        from sparsecbm_core.data.open import open_dataset

        return open_dataset(self.dataset.value, self.data, split, self.csv_options(), space)

    def csv_options(self) -> dict[str, Any]:
        """The arguments of `load_csv`."""
        mapping = None
        if self.state_map:
            pairs = [item.partition("=") for item in self.state_map.split(",")]
            if any(not separator for _, separator, _ in pairs):
                raise InputError(
                    f"--state-map {self.state_map!r} is not of the form 'pos=Positive,neg=Negative'"
                )
            mapping = {raw.strip(): name.strip() for raw, _, name in pairs}
        names = self.concept_columns
        return {
            "text_column": self.text_column,
            "label_column": self.label_column,
            "concept_columns": [name.strip() for name in names.split(",")] if names else None,
            "state_map": mapping,
        }


def takes_data(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command with an argument ``source`` the options of `DataSource` in its place."""
    names = [item.name for item in fields(DataSource)]
    own = inspect.signature(command, eval_str=True).parameters.values()

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        source = DataSource(**{name: values.pop(name) for name in names})
        command(source=source, **values)

    hints = get_type_hints(DataSource, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(item.name, keyword, default=item.default, annotation=hints[item.name])
        for item in fields(DataSource)
    ]
    rest = [parameter.replace(kind=keyword) for parameter in own if parameter.name != "source"]
    wrapper.__dict__["__signature__"] = inspect.Signature([*options, *rest])
    return wrapper

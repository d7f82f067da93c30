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

from sparsecbm_core.concepts import DEFAULT_STATES
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
        str | None,
        typer.Option(help="csv: concept columns, separated by commas; 'f=food,s=service' renames them."),
    ] = None
    states: Annotated[
        str | None,
        typer.Option(
            help="csv: the states a concept can have, separated by commas; default: "
            f"{','.join(DEFAULT_STATES)}."
        ),
    ] = None
    group_column: Annotated[
        str, typer.Option(help="csv: column that joins a text and its edits, if the file has it.")
    ] = "group"
    edit_column: Annotated[
        str,
        typer.Option(help="csv: column that names the concept which an edit changed, if the file has it."),
    ] = "edit_concept"
    state_map: Annotated[
        str | None, typer.Option(help="csv: how the file spells states, as 'pos=Positive,neg=Negative'.")
    ] = None
    source: Annotated[
        str | None, typer.Option(help="imdb: whose labels to read, manual, generated or both; default: both.")
    ] = None
    concepts: Annotated[
        str | None,
        typer.Option(help="imdb: concepts to read, separated by commas; default: the paper's four."),
    ] = None

    def open(
        self,
        split: str,
        space: ConceptSpace | None = None,
        label_votes: bool = False,
        to_train: bool = False,
    ) -> ReviewDataset:
        """One split; ``space`` is the model's, if there is one. ``label_votes``: see `load_cebab`,
        ``to_train``: `load_csv`."""
        from sparsecbm_core.data.open import open_dataset

        options = self.loader_options()
        if to_train and self.dataset is DatasetName.csv:
            options["to_train"] = True
        if label_votes:
            if self.dataset is not DatasetName.cebab:
                raise InputError(f"--label-votes needs --dataset cebab: {self.dataset.value} has no votes")
            options["label_votes"] = True
        return open_dataset(self.dataset.value, self.data, split, options, space)

    def beside(self, file: Path, space: ConceptSpace) -> ReviewDataset:
        """Further reviews from a CSV file, for the concepts, states and labels of those that were opened."""
        from sparsecbm_core.data.open import open_dataset

        options = {
            "text_column": self.text_column,
            "label_column": self.label_column,
            "group_column": self.group_column,
            "edit_column": self.edit_column,
            "to_train": True,
        }
        return open_dataset(DatasetName.csv.value, str(file), "train", options, space)

    def labels(self, space: ConceptSpace) -> tuple[list[str], list[int]]:
        """Texts and labels of a CSV file that need not know any concept."""
        from sparsecbm_core.data.table import load_labels

        if self.dataset is not DatasetName.csv or self.data is None:
            raise InputError("labels without concepts are read from a file: --dataset csv --data FILE.csv")
        return load_labels(self.data, self.text_column, self.label_column, space.labels)

    def default_splits(self, cebab: str = "train_inclusive") -> tuple[str, ...]:
        """Training and dev split, where none are named."""
        from sparsecbm_core.data.open import default_splits

        return default_splits(self.dataset.value, self.data, cebab)

    def loader_options(self) -> dict[str, Any]:
        """The arguments of the data set's loader that were given."""
        options: dict[str, Any] = {}
        if self.dataset is DatasetName.imdb:
            options = {"source": self.source, "concepts": listed(self.concepts)}
        elif self.dataset is DatasetName.csv:
            columns = self.concept_columns or ""
            options = {
                "text_column": self.text_column,
                "label_column": self.label_column,
                "concept_columns": pairs("--concept-columns", columns) if "=" in columns else listed(columns),
                "states": listed(self.states),
                "state_map": pairs("--state-map", self.state_map or ""),
                "group_column": self.group_column,
                "edit_column": self.edit_column,
            }
        return {name: value for name, value in options.items() if value}


def listed(text: str | None) -> list[str]:
    """Names separated by commas."""
    return [name.strip() for name in text.split(",")] if text else []


def pairs(option: str, text: str) -> dict[str, str]:
    """Pairs of names, as 'a=b,c=d'."""
    found = [item.partition("=") for item in listed(text)]
    if any(not separator for _, separator, _ in found):
        raise InputError(f"{option} {text!r} is not of the form 'a=b,c=d'")
    return {first.strip(): second.strip() for first, _, second in found}


def takes_data(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command with an argument ``reviews`` the options of `DataSource` in its place."""
    names = [item.name for item in fields(DataSource)]
    own = inspect.signature(command, eval_str=True).parameters.values()

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        command(reviews=DataSource(**{name: values.pop(name) for name in names}), **values)

    hints = get_type_hints(DataSource, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(item.name, keyword, default=item.default, annotation=hints[item.name])
        for item in fields(DataSource)
    ]
    rest = [parameter.replace(kind=keyword) for parameter in own if parameter.name != "reviews"]
    wrapper.__dict__["__signature__"] = inspect.Signature([*options, *rest])
    return wrapper

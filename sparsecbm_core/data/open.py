"""Any data set by name: what the command line and the experiments open splits with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsecbm_core.concepts import IMDB_PAPER_CONCEPTS, ConceptSpace
from sparsecbm_core.data.cebab import load_cebab, load_cebab_hub
from sparsecbm_core.data.imdb import load_imdb
from sparsecbm_core.data.table import load_csv
from sparsecbm_core.data.types import LoadReport, ReviewDataset
from sparsecbm_core.errors import DataError, one_of

DATASETS = ("cebab", "imdb", "csv")


def open_dataset(
    name: str,
    data: str | Path | None,
    split: str,
    options: Mapping[str, Any] | None = None,
    space: ConceptSpace | None = None,
) -> ReviewDataset:
    """One split of "cebab", "imdb" (a folder each) or "csv" (a file, or a folder of SPLIT.csv).

    ``options`` are further arguments of the data set's own loader; ``space`` is the model's, whose
    concepts, states and labels are then the ones looked for. CEBaB without a folder comes from the hub.
    """
    if name not in DATASETS:
        raise DataError(one_of(name, DATASETS, "data set"))
    if name == "cebab":
        chosen = dict(options or {})
        return load_cebab_hub(split, **chosen) if data is None else load_cebab(data, split, **chosen)
    if data is None:
        raise DataError(
            f"{name} needs --data (or SPARSECBM_DATA): the {'file' if name == 'csv' else 'folder'}"
        )
    chosen = dict(options or {})
    if name == "imdb":
        if space is not None:
            chosen["concepts"] = space.concepts
        return load_imdb(data, split, **{"concepts": IMDB_PAPER_CONCEPTS, **chosen})
    if space is not None:
        chosen |= {"states": space.states, "labels": space.labels}
        chosen["concept_columns"] = chosen.get("concept_columns") or list(space.concepts)
    if not chosen.get("concept_columns"):
        raise DataError("csv needs --concept-columns, the columns that hold concepts, separated by commas")
    path = Path(data)
    return load_csv(path / f"{split}.csv" if path.is_dir() else path, split=split, **chosen)


def joined(first: ReviewDataset, second: ReviewDataset) -> ReviewDataset:
    """The reviews of both, to train on: under the first one's split and both names.

    Raises `DataError` where their concepts, states or labels differ.
    """
    if first.space.names != second.space.names:
        raise DataError(f"{second.name} has other concepts, states or labels than {first.name}")
    report = LoadReport(
        (*first.report.files, *second.report.files),
        first.report.rows_read + second.report.rows_read,
        first.report.rows_kept + second.report.rows_kept,
        dict(Counter(first.report.dropped) + Counter(second.report.dropped)),
    )
    name = f"{first.name} and {second.name}"
    return ReviewDataset(name, first.split, first.space, (*first.examples, *second.examples), report)


def default_splits(name: str, data: str | Path | None, cebab: str = "train_inclusive") -> tuple[str, ...]:
    """The splits to train on and to choose the best epoch by; a single file is one split."""
    if name == "csv" and data is not None and Path(data).is_file():
        return ("all",)
    return (cebab if name == "cebab" else "train", "dev")

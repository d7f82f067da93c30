"""The results page: Markdown made of the experiments' JSON files and of nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparsecbm_core.errors import CheckpointError, InputError
from sparsecbm_core.evaluate.parts import duration
from sparsecbm_core.experiments.document import Document, read_document
from sparsecbm_core.experiments.estimate import NOT_INSTALLED
from sparsecbm_core.experiments.experiment import Table
from sparsecbm_core.experiments.registry import EXPERIMENTS
from sparsecbm_core.files import read_json

HEAD = """# Results

Made by `sparsecbm reproduce docs` of the JSON files of `sparsecbm reproduce`, never typed. Accuracies are
shares of reviews that are read right, macro-F1 is scikit-learn's; paper-F1 is the mean of one-vs-rest
macro-F1 that the paper reports: it is higher, and here only to stand beside the published figures. Where
models were trained and measured on one split (dev), that split chose the best epoch as well; the published
figures are of the test split.
"""


TRAINING = {
    "dense_epochs": "{} dense epochs",
    "sparse_epochs": "{} sparse epochs",
    "batch_size": "batches of {}",
    "max_length": "up to {} tokens",
}


def results_page(results: Path, output: Path) -> str:
    """The page for ``output``, of every file of an experiment in the folder ``results``.

    Equal files give an equal page. JSON files of other kinds are left out. Raises `InputError` where there is
    nothing to show, `CheckpointError` for a file that is damaged.
    """
    found = [(path, read_document(path)) for path in sorted(results.glob("*.json")) if _ours(path)]
    if not found:
        raise InputError(f"{results} holds no results of an experiment; run 'sparsecbm reproduce NAME' first")
    order = list(EXPERIMENTS)
    # CEBaB, and what reads no data set, before the others.
    found.sort(key=lambda item: (order.index(item[1].experiment), item[0].stem not in order, item[0].name))
    folder = os.path.relpath(results, output.parent)
    return "\n".join([HEAD, *(_section(path, document, folder) for path, document in found)])


def _ours(path: Path) -> bool:
    try:
        values = read_json(path)
    except CheckpointError:
        return True  # said by whoever reads it
    return values.get("experiment") in EXPERIMENTS


def _section(path: Path, document: Document, folder: str) -> str:
    experiment = EXPERIMENTS[document.experiment]
    title = document.title
    if document.dataset not in (None, "cebab"):
        title += f" ({document.dataset})"
    lines = [f"## {title}", "", document.claim, ""]
    for table in experiment.tables(document.results) if document.records else ():
        lines += [_table(table), ""]
    for name in document.figures:
        target = _link(folder, name)
        if name.endswith(".png"):
            lines += [f"![{document.title}]({target})", ""]
        elif Path(name).with_suffix(".png").name not in document.figures:  # 5 MB beside its own picture
            lines += [f"[The figure, to look at closely]({target})", ""]
    if not document.complete:
        lines += ["*Not finished: some parts are still to be measured.*", ""]
    lines += [_origin(document, _link(folder, path.name)), ""]
    return "\n".join(lines)


def _origin(document: Document, link: str) -> str:
    """What it was measured on and by what, in one line."""
    values = document.to_dict()
    facts = []
    if document.commands:
        facts.append("by " + " and ".join(f"`{command}`" for command in document.commands))
    if values["data"]:
        facts.append("data: " + ", ".join(map(_split, values["data"])))
    model, fingerprint = (values["settings"].get(name) for name in ("model", "fingerprint"))
    if model and fingerprint:
        facts.append(f"model {model} (`{fingerprint}`)")
    facts += _training(document)
    if seeds := values["seeds"]:
        facts.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}")
    count, spent = len(document.records), duration(document.seconds)
    trains = any(name.endswith("_epochs") for record in document.records.values() for name in record.settings)
    note = " (models that were there before not counted)" if trains else ""
    facts.append(f"{count} part{'s' if count != 1 else ''}, {spent} of work{note}")
    facts += [f"{name} {version}" for name, version in values["versions"].items() if version != NOT_INSTALLED]
    text = "; ".join(facts)
    return f"{text[:1].upper()}{text[1:]}. [Settings and all figures]({link})"


def _split(item: Mapping[str, Any]) -> str:
    return f"{item['name']} {item['split']} ({item['reviews']:,} reviews, `{item['fingerprint']}`)"


def _training(document: Document) -> list[str]:
    """How long models were trained, wherever a setting says so: "5 or 7 dense epochs"."""
    found = []
    for name, words in TRAINING.items():
        values = {
            value
            for record in document.records.values()
            for path, value in record.settings.items()
            if path.rsplit(".", 1)[-1] == name and value is not None
        }
        if values:
            found.append(words.format(" or ".join(map(str, sorted(values)))))
    return found


def _table(table: Table) -> str:
    rows: list[Sequence[str]] = [table.header, ["---"] * len(table.header), *table.rows]
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join([f"**{table.title}**", "", *lines])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _link(folder: str, name: str) -> str:
    return name if folder == "." else f"{Path(folder).as_posix()}/{name}"


def listing(experiments: Mapping[str, Any]) -> str:
    """A line for each experiment."""
    width = max(map(len, experiments))
    return "\n".join(f"{name.ljust(width)}  {item.title}" for name, item in experiments.items())

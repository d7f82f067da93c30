"""Documents whose tables are made of JSON files and of nothing else: the results page, and filled figures."""

from __future__ import annotations

import os
import re
import string
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

<!-- results -->
<!-- end -->
"""

# What is made anew in a document: "results" or "filled from FOLDER" and a template, up to the end mark.
BLOCK = re.compile(r"(<!-- (?:results |filled from (\S+)\n(.*?))-->\n).*?(<!-- end -->\n)", re.DOTALL)

TRAINING = {
    "dense_epochs": "{} dense epochs",
    "sparse_epochs": "{} sparse epochs",
    "batch_size": "batches of {}",
    "max_length": "up to {} tokens",
}


def results_page(results: Path, output: Path) -> str:
    """The document ``output`` with its blocks made anew; without any there, a new page of all results.

    "<!-- results -->" is followed by every experiment's file in the folder ``results``; JSON files of other
    kinds are left out. "<!-- filled from FOLDER" is followed by a template, "-->", and what it says with the
    figures of that folder, which is beside the document (see `Figures`). Equal files give an equal page.

    Raises `InputError` where there is nothing to show, `CheckpointError` for a file that is damaged.
    """
    text = output.read_text(encoding="utf-8") if output.is_file() else ""

    def made(block: re.Match[str]) -> str:
        start, folder, template, end = block.groups()
        if folder is None:
            return f"{start}\n{_sections(results, output)}\n{end}"
        return f"{start}\n{Figures(output.parent / folder).format(template).strip()}\n\n{end}"

    return BLOCK.sub(made, text if BLOCK.search(text) else HEAD)


class Figures(string.Formatter):
    """Fills a template from the JSON files of a folder: ``{dev[ece]:.3f}`` is ``ece`` in dev.json.

    Formats are Python's, with a space before "%" and a real minus; "p" is "%" without the sign, for columns
    whose head names the unit. `InputError` for a field that no file has.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return read_json(self.folder / f"{key}.json")

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        try:
            return super().get_field(field_name, args, kwargs)
        except (KeyError, IndexError, TypeError, AttributeError):
            raise InputError(f"{self.folder} holds no figure {field_name!r}") from None

    def format_field(self, value: Any, format_spec: str) -> str:
        bare = format_spec.endswith("p")
        text = format(value, format_spec[:-1] + "%" if bare else format_spec)
        return text.replace("%", "" if bare else " %").replace("-", "−")


def _sections(results: Path, output: Path) -> str:
    found = [(path, read_document(path)) for path in sorted(results.glob("*.json")) if _ours(path)]
    if not found:
        raise InputError(f"{results} holds no results of an experiment; run 'sparsecbm reproduce NAME' first")
    order = list(EXPERIMENTS)
    # CEBaB, and what reads no data set, before the others.
    found.sort(key=lambda item: (order.index(item[1].experiment), item[0].stem not in order, item[0].name))
    folder = os.path.relpath(results, output.parent)
    return "\n".join(_section(path, document, folder) for path, document in found)


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

"""Runs an experiment part by part, keeps what is done, says how long the rest takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.parts import in_turn, outlook, stopped
from sparsecbm_core.experiments.document import Document, Record, check_same, read_document
from sparsecbm_core.experiments.estimate import versions
from sparsecbm_core.experiments.experiment import Experiment, Part
from sparsecbm_core.experiments.identity import flat
from sparsecbm_core.experiments.pages import write_figures
from sparsecbm_core.progress import progress_bar, unheard

if TYPE_CHECKING:
    from sparsecbm_core.experiments.lab import Lab


def run_experiment(
    experiment: Experiment,
    lab: Lab,
    options: Any,
    out: Path,
    overwrite: bool = False,
    only: str | None = None,
    command: str | None = None,
    say: Callable[[str], None] = unheard,
) -> Path:
    """Measure what is missing of an experiment; returns its file, ``out/NAME.json``.

    The file is written after each part. Parts that are there with the same settings stay, with those that are
    not asked for now, so that further seeds, backbones or doses join them. A data set other than CEBaB has a
    file of its own (NAME-imdb.json). ``overwrite`` measures everything anew; trained models stay. ``only``
    (with * and ?) picks parts by name. ``command`` is what was asked for, as the results page shows it.

    Raises `InputError` where a part is there with other settings, `Stopped` after Ctrl-C.
    """
    path = result_path(experiment, lab, out)
    parts = experiment.parts(lab, options)
    document = _document(experiment, lab, path, overwrite, command)
    check_same(path, document, parts)
    chosen = [part for part in parts if only is None or fnmatch(part.name, only)]
    if not chosen:
        raise InputError(f"no part is called like {only!r}; there are: {', '.join(p.name for p in parts)}")
    if missing := _missing(document, chosen):
        rate, how = _rate(experiment, lab, options, document)
        seconds = rate * sum(part.units for part in missing)
        say(outlook(experiment.name, len(chosen) - len(missing), len(chosen), seconds, how))
    else:
        say(f"{experiment.name}: all {len(chosen)} parts are in {path}")
    document = _measure(experiment, lab, document, chosen, path)
    document = replace(document, results=experiment.summary(document.measured()))
    figures = write_figures(experiment, document, path, say)
    replace(document, figures=figures, complete=not _missing(document, parts)).save(path)
    say(f"wrote {', '.join([str(path), *figures])}")
    return path


def _measure(
    experiment: Experiment, lab: Lab, document: Document, chosen: Sequence[Part], path: Path
) -> Document:
    """The document with all of the chosen parts that were missing, saved after each."""
    known = versions(lab.device)

    def keep(part: Part, result: dict[str, Any], seconds: float) -> None:
        nonlocal document
        record = Record(part.labels, flat(part.settings), known, part.units, seconds, result)
        document = document.with_record(part, record, experiment).with_data(lab.opened())
        document.save(path)

    def interrupted(part: Part, seconds: float) -> None:
        nonlocal document
        document = document.with_unfinished(part, seconds)
        document.save(path)

    try:
        with progress_bar(experiment.name) as report:
            in_turn(_missing(document, chosen), keep, report, interrupted)
    except KeyboardInterrupt:
        raise stopped(len(chosen) - len(_missing(document, chosen)), len(chosen), path) from None
    return document


def _missing(document: Document, parts: Sequence[Part]) -> list[Part]:
    return [part for part in parts if part.name not in document.records]


def result_path(experiment: Experiment, lab: Lab, out: Path) -> Path:
    """Where the results of an experiment on a data set lie."""
    other = experiment.reads_data and lab.dataset != "cebab"
    return Path(out) / (f"{experiment.name}-{lab.dataset}.json" if other else f"{experiment.name}.json")


def _document(experiment: Experiment, lab: Lab, path: Path, overwrite: bool, command: str | None) -> Document:
    dataset = lab.dataset if experiment.reads_data else None
    own = () if command is None else (command,)
    fresh = Document(experiment.name, experiment.title, experiment.claim, dataset, commands=own)
    if overwrite or not path.is_file():
        return fresh
    found = read_document(path)
    if found.experiment != experiment.name:
        raise InputError(f"{path} holds results of {found.experiment!r}, not of {experiment.name!r}")
    commands = tuple(dict.fromkeys((*found.commands, *own)))
    return replace(found, title=experiment.title, claim=experiment.claim, commands=commands, complete=False)


def _rate(experiment: Experiment, lab: Lab, options: Any, document: Document) -> tuple[float, str]:
    """Seconds a unit takes, and how that is known."""
    records = [record for record in document.records.values() if record.units]
    if records:
        units = sum(record.units for record in records)
        return sum(record.seconds for record in records) / units, "going by the parts that are done"
    return experiment.unit(lab, options), "going by a few steps just measured"

"""Runs an experiment part by part, keeps what is done, says how long the rest takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments.document import Document, Record, check_same, read_document
from sparsecbm_core.experiments.estimate import duration, versions
from sparsecbm_core.experiments.experiment import Experiment, Part
from sparsecbm_core.experiments.identity import flat
from sparsecbm_core.experiments.pages import write_figures
from sparsecbm_core.progress import progress_bar

if TYPE_CHECKING:
    from sparsecbm_core.experiments.lab import Lab

FINE = 1000  # ticks of the progress bar a unit
Say = Callable[[str], None]


class Stopped(Exception):
    """Ctrl-C; the message says what is kept and how to go on."""


def run_experiment(
    experiment: Experiment,
    lab: Lab,
    options: Any,
    out: Path,
    overwrite: bool = False,
    only: str | None = None,
    command: str | None = None,
    say: Say = lambda line: None,
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
    missing = [part for part in chosen if part.name not in document.records]
    if missing:
        rate, how = _rate(experiment, lab, options, document)
        left = duration(rate * sum(part.units for part in missing))
        say(
            f"{experiment.name}: {len(chosen) - len(missing)} of {len(chosen)} parts done; {left} for the "
            f"rest, {how}. Ctrl-C stops, the same command goes on"
        )
    else:
        say(f"{experiment.name}: all {len(chosen)} parts are in {path}")
    document = _measure(experiment, lab, document, missing, path, len(chosen))
    document = replace(document, results=experiment.summary(document.measured()))
    figures = write_figures(experiment, document, path, say)
    complete = all(part.name in document.records for part in parts)
    replace(document, figures=figures, complete=complete).save(path)
    say(f"wrote {', '.join([str(path), *figures])}")
    return path


def _measure(
    experiment: Experiment, lab: Lab, document: Document, missing: Sequence[Part], path: Path, count: int
) -> Document:
    """The document with all that was missing, saved after each part."""
    known = versions(lab.device)
    sizes = [max(1, round(part.units * FINE)) for part in missing]
    with progress_bar(experiment.name) as report:
        for place, part in enumerate(missing):

            def on_progress(done: int, total: int, message: str, place: int = place) -> None:
                now = sum(sizes[:place]) + round(sizes[place] * min(1.0, done / max(1, total)))
                report(now, sum(sizes), ": ".join(filter(None, (missing[place].name, message))))

            started = time.monotonic()
            on_progress(0, 1, "")
            try:
                result = part.run(on_progress)
            except KeyboardInterrupt:
                document = document.with_unfinished(part, time.monotonic() - started)
                document.save(path)
                done = count - len(missing) + place
                raise Stopped(
                    f"stopped: {done} of {count} parts are in {path}; the same command goes on"
                ) from None
            seconds = time.monotonic() - started
            record = Record(part.labels, flat(part.settings), known, part.units, seconds, result)
            document = document.with_record(part, record, experiment).with_data(lab.opened())
            document.save(path)
    return document


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

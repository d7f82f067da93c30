"""An experiment's results on disk: one JSON file, whole after every part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sparsecbm_core.errors import CheckpointError, InputError
from sparsecbm_core.experiments.experiment import Experiment, Labels, Measured, Part, part_name
from sparsecbm_core.experiments.identity import differences, flat
from sparsecbm_core.files import read_json, too_new, write_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Record:
    """A finished part. ``settings`` are flat; ``seconds`` include what a stopped attempt took."""

    labels: Labels
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    units: float
    seconds: float
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Document:
    """What the file holds: ``records`` by part name, in the order they were asked for first.

    In the file, settings and versions that all parts have in common stand once, at the top. ``data`` are the
    splits that were read, ``unfinished`` the seconds spent on a part that is not done, ``complete`` says that
    nothing of what was asked for last is missing, ``figures`` are files beside this one, ``commands`` what
    was asked for, without the folders of this machine.
    """

    experiment: str
    title: str
    claim: str
    dataset: str | None
    data: Sequence[Mapping[str, Any]] = ()
    records: Mapping[str, Record] = field(default_factory=dict)
    unfinished: Mapping[str, float] = field(default_factory=dict)
    complete: bool = False
    figures: Sequence[str] = ()
    results: Mapping[str, Any] = field(default_factory=dict)
    commands: Sequence[str] = ()

    @property
    def seeds(self) -> list[int]:
        found = {record.labels["seed"] for record in self.records.values() if "seed" in record.labels}
        return sorted(int(seed) for seed in found)

    @property
    def seconds(self) -> float:
        """All the work that went into it."""
        done = sum(record.seconds for record in self.records.values())
        return round(done + sum(self.unfinished.values()), 1)

    def measured(self) -> list[Measured]:
        return [Measured(record.labels, record.result) for record in self.records.values()]

    def with_record(self, part: Part, record: Record, experiment: Experiment) -> Document:
        """With one more part done, and the results anew."""
        spent = self.unfinished.get(part.name, 0.0)
        record = replace(record, seconds=round(record.seconds + spent, 3))
        left = {name: seconds for name, seconds in self.unfinished.items() if name != part.name}
        document = replace(self, records={**self.records, part.name: record}, unfinished=left)
        return replace(document, results=experiment.summary(document.measured()))

    def with_unfinished(self, part: Part, seconds: float) -> Document:
        """With the time that a stopped attempt at a part took."""
        spent = round(self.unfinished.get(part.name, 0.0) + seconds, 3)
        return replace(self, unfinished={**self.unfinished, part.name: spent})

    def with_data(self, opened: Iterable[Mapping[str, Any]]) -> Document:
        known = {(item["name"], item["split"]): dict(item) for item in (*self.data, *opened)}
        return replace(self, data=tuple(known.values()))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; see `read_document` for the way back."""
        records = self.records.values()
        settings = _common([record.settings for record in records])
        versions = _common([record.versions for record in records])
        return {
            "schema_version": SCHEMA_VERSION,
            "experiment": self.experiment,
            "title": self.title,
            "claim": self.claim,
            "commands": list(self.commands),
            "dataset": self.dataset,
            "data": [dict(item) for item in self.data],
            "seeds": self.seeds,
            "settings": settings,
            "versions": versions,
            "duration_seconds": self.seconds,
            "complete": self.complete,
            "figures": list(self.figures),
            "results": dict(self.results),
            "unfinished": dict(self.unfinished),
            "parts": [
                {
                    "labels": dict(record.labels),
                    "settings": _rest(record.settings, settings),
                    "versions": _rest(record.versions, versions),
                    "units": record.units,
                    "seconds": record.seconds,
                    "result": dict(record.result),
                }
                for record in records
            ],
        }

    def save(self, path: Path) -> None:
        """Whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, self.to_dict())


def read_document(path: Path) -> Document:
    """Inverse of `Document.save`; `CheckpointError` where it is damaged, or newer than this version."""
    values = read_json(path)
    version = values.get("schema_version")
    if not isinstance(version, int) or "parts" not in values:
        raise CheckpointError(f"{path} holds no results of an experiment")
    if version > SCHEMA_VERSION:
        raise too_new(path, version, SCHEMA_VERSION)
    try:
        records = {
            part_name(part["labels"]): Record(
                part["labels"],
                {**values["settings"], **part["settings"]},
                {**values["versions"], **part["versions"]},
                part["units"],
                part["seconds"],
                part["result"],
            )
            for part in values["parts"]
        }
        return Document(
            experiment=values["experiment"],
            title=values["title"],
            claim=values["claim"],
            dataset=values["dataset"],
            data=tuple(values["data"]),
            records=records,
            unfinished=values["unfinished"],
            complete=values["complete"],
            figures=tuple(values["figures"]),
            results=values["results"],
            commands=tuple(values.get("commands", ())),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: {error!r}") from error


def check_same(path: Path, document: Document, parts: Iterable[Part]) -> None:
    """`InputError` if a part that is there already, or one that differs from it in its seed alone, was made
    with other settings than it would be now: means over seeds are over one way to train."""
    for part in parts:
        settings = flat(part.settings)
        own = document.records.get(part.name)
        changed = [] if own is None else differences(own.settings, settings)
        for record in document.records.values():
            if record is not own and _seedless(record.labels) == _seedless(part.labels):
                changed += _but_for_the_seed(differences(record.settings, settings))
        if changed:
            what = ", ".join(dict.fromkeys(changed))
            raise InputError(
                f"{path} holds the part {part.name!r} made with other settings ({what}); "
                "choose another folder, or --overwrite to measure anew"
            )


def _seedless(labels: Labels) -> dict[str, Any]:
    return {name: value for name, value in labels.items() if name != "seed"}


def _but_for_the_seed(names: Iterable[str]) -> list[str]:
    """Without what comes from the seed: it, and the fingerprint of a model trained with it."""
    return [
        name for name in names if name.rsplit(".", 1)[-1] != "seed" and not name.endswith("start.fingerprint")
    ]


def _common(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, *others = tables or [{}]
    return {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }


def _rest(own: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in own.items() if name not in common}

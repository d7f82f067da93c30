"""Where experiments get their reviews and their models: opened once, trained once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.config import TrainSettings
from sparsecbm_core.data.open import default_splits, open_dataset
from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.evaluate.parts import stretch
from sparsecbm_core.experiments.identity import differences, flat, is_default
from sparsecbm_core.files import read_json
from sparsecbm_core.models.record import read_record
from sparsecbm_core.progress import OnWork, unheard

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.concept_model import ConceptModel


@dataclass(frozen=True)
class Run:
    """A model to train: settings, the splits, and what it starts from (another run, or a checkpoint)."""

    settings: TrainSettings
    train: str
    dev: str
    start: Run | Path | None = None


class Lab:
    """One data set and a folder of runs.

    A run lies in a folder named after everything that decides it, so that experiments share models, a
    finished one is never trained again, a stopped one goes on, and other settings get another folder.
    """

    def __init__(
        self,
        dataset: str = "cebab",
        data: str | Path | None = None,
        loader_options: Mapping[str, Any] | None = None,
        runs: Path = Path("runs"),
        device: str | None = None,
    ) -> None:
        self.dataset, self.data, self.runs, self.device = dataset, data, Path(runs), device
        self._options = dict(loader_options or {})
        self._opened: dict[str, ReviewDataset] = {}

    def reviews(self, split: str, space: ConceptSpace | None = None) -> ReviewDataset:
        """One split; ``space`` is that of the model it is for, if there is one."""
        if split not in self._opened:
            if space is None and self.dataset == "csv" and self._opened:
                space = next(iter(self._opened.values())).space
            self._opened[split] = open_dataset(self.dataset, self.data, split, self._options, space)
        return self._opened[split]

    def splits(self, train: str | None, dev: str | None) -> tuple[str, str]:
        """The splits to train on and to choose the epoch by, where none are named."""
        first, *rest = default_splits(self.dataset, self.data, cebab="train_exclusive")
        return train or first, dev or (rest or [first])[0]

    def about(self, split: str, space: ConceptSpace | None = None) -> dict[str, Any]:
        """What a split is called, and which reviews it holds."""
        return {"split": split, "fingerprint": self.reviews(split, space).fingerprint()}

    def opened(self) -> list[dict[str, Any]]:
        """Every split that was opened so far."""
        return [
            {"name": data.name, "split": split, "reviews": len(data), "fingerprint": data.fingerprint()}
            for split, data in self._opened.items()
        ]

    def describe(self, run: Run) -> dict[str, Any]:
        """Everything that decides a run, without folders of this machine."""
        values = run.settings.applied(from_model=run.start is not None)
        if values.get("backbone"):
            values["backbone"] = title_of(values["backbone"])
        start: dict[str, Any] = {}
        if isinstance(run.start, Run):
            start = {"start": self.describe(run.start)}
        elif run.start is not None:
            start = {"start": describe_model(run.start)}
        return {**values, "train": self.about(run.train), "dev": self.about(run.dev), **start}

    def folder(self, run: Run) -> Path:
        """Where a run lies."""
        first = run
        while isinstance(first.start, Run):
            first = first.start
        # What has its default value does not count, so that a setting added later changes no name.
        decided = {k: v for k, v in flat(self.describe(run)).items() if not is_default(k, v)}
        what = json.dumps([decided, first.settings.backbone], sort_keys=True)
        key = hashlib.sha256(what.encode()).hexdigest()[:10]
        return self.runs / f"{run.settings.kind}-seed{run.settings.seed}-{key}"

    def has(self, run: Run) -> bool:
        """Whether it is finished."""
        from sparsecbm_core.training.trainer import STATE_FILE

        folder = self.folder(run)
        config = folder / "model" / "config.json"
        if not config.is_file() or (folder / STATE_FILE).exists():
            return False
        stored = flat(read_json(config).get("training", {}).get("settings", {}))
        now = flat(run.settings.applied(from_model=run.start is not None))
        changed = [name for name in differences(stored, now) if name != "backbone"]
        if changed:
            raise CheckpointError(
                f"{folder} holds a model of other settings ({', '.join(changed)}); choose another --runs"
            )
        return True

    def missing(self, run: Run) -> list[Run]:
        """What has to be trained for a run, in order: nothing, itself, or its start as well."""
        if self.has(run):
            return []
        return [*(self.missing(run.start) if isinstance(run.start, Run) else []), run]

    def model(self, run: Run, report: OnWork = unheard) -> ConceptModel:
        """The finished model, trained now where it is not there yet."""
        todo = self.missing(run)
        units = [self.units(item) for item in todo]
        for place, item in enumerate(todo):
            self._train(item, stretch(report, units, place))
        return self.load(self.folder(run) / "model")

    def units(self, run: Run) -> int:
        """The work of training it, in dense steps; that of its start not counted."""
        from sparsecbm_core.training.plan import plan_phases

        plans = plan_phases(run.settings, len(self.reviews(run.train)), run.start is not None)
        return sum(plan.units() for plan in plans)

    def _train(self, run: Run, report: OnWork) -> None:
        from sparsecbm_core.training.trainer import Trainer

        start = None
        if run.start is not None:
            start = self.load(self.folder(run.start) / "model" if isinstance(run.start, Run) else run.start)
        train, dev = self.reviews(run.train), self.reviews(run.dev)
        output, device = self.folder(run), self.device
        Trainer(run.settings, train, dev, output, start, device, on_progress=report).run(resume=True)

    def load(self, folder: Path) -> ConceptModel:
        """A checkpoint, on the lab's device."""
        from sparsecbm_core.models.concept_model import ConceptModel

        return ConceptModel.from_pretrained(folder, self.device)


def title_of(backbone: str) -> str:
    """A backbone as results name it: a folder of this machine by its last part."""
    return Path(backbone).name if Path(backbone).is_dir() else backbone


def describe_model(folder: Path) -> dict[str, Any]:
    """A checkpoint by name and fingerprint, without loading it."""
    return {"model": Path(folder).name, "fingerprint": read_record(Path(folder)).fingerprint}


def measured_model(lab: Lab, folder: Path, split: str) -> dict[str, Any]:
    """Settings of what is measured of a checkpoint on a split, without loading it."""
    return {**describe_model(folder), "measured": lab.about(split, read_record(folder).space)}

"""Train a standard classifier, a dense CBM of three kinds, or a SparseCBM; stoppable and reproducible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from sparsecbm_core.config import TrainSettings
from sparsecbm_core.data.made import with_long_reviews, with_made_edits
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.device import pick_device
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.progress import OnWork, unheard
from sparsecbm_core.training.finish import finish_model
from sparsecbm_core.training.log import RunLog
from sparsecbm_core.training.phase import Phase
from sparsecbm_core.training.plan import RunProgress, plan_phases
from sparsecbm_core.training.run import Run
from sparsecbm_core.training.runtime import pick_precision
from sparsecbm_core.training.snapshot import Snapshot
from sparsecbm_core.training.start import TrainingBatches, check_run, starting_network
from sparsecbm_core.training.state import Position, StateFile
from sparsecbm_core.training.teacher import origin

STATE_FILE = "resume.safetensors"


class Trainer:
    """Fit a model on ``train``, choose its best epoch on ``dev``, write a checkpoint folder.

    Procedure: the dense joint CBM for ``dense_epochs`` (skipped with ``init``, a
    `ConceptModel` whose copy is trained instead); then, for kind "sparse", ``sparse_epochs`` under
    all K masks with gradual pruning on a cubic schedule, from the best dense epoch; an ``init`` that has
    masks keeps them. For "sequential"
    and "independent" the first phase learns concepts alone, and a second one the label head from
    what came out of it (`HeadTask`). Every phase keeps its best epoch by the mean of concept and task
    accuracy on dev (task alone for "standard" and for heads, concepts alone where nothing else is
    learned); sparse epochs count only at the full sparsity. With a ``distillation`` the sparse phase learns
    from the mean of what the ``teachers`` say, or without any from the model that it starts with.

    Runs with equal settings, data and machine are equal on the CPU. The state is saved every
    epoch and every ``save_seconds``; ``run(resume=True)`` goes on from it to the same result.
    ``on_progress(done, total, message)`` gets work units, not seconds. Each epoch's line of the log
    has the mean task loss and the mean concept loss Σ_k CE(ℓ_k, c_k), without γ. A loss or a gradient
    that is not finite ends the run with a `TrainingError` that names the step.
    """

    def __init__(
        self,
        settings: TrainSettings,
        train: ReviewDataset,
        dev: ReviewDataset,
        output: Path,
        init: ConceptModel | None = None,
        device: str | None = None,
        save_seconds: float = 300.0,
        on_progress: OnWork = unheard,
        teachers: Sequence[ConceptModel] = (),
    ) -> None:
        check_run(settings, train, dev, init is not None, teachers)
        train = with_made_edits(train, settings.made_edits, settings.seed)
        train = with_long_reviews(train, settings.long_reviews, settings.seed)
        place = pick_device(device)
        dtype = pick_precision(settings.precision, place)
        torch.manual_seed(settings.seed)
        network, tokenizer = starting_network(settings, train.space, init, place)
        masks = None if init is None else init.masks
        self.plans = plan_phases(settings, len(train), init is not None, masks is not None)
        self.save_seconds = save_seconds
        self.current = Run(
            settings,
            train,
            dev,
            Path(output),
            network,
            tokenizer,
            TrainingBatches(train, tokenizer, settings, place),
            place,
            dtype,
            RunProgress(self.plans, on_progress),
            None if init is None else origin(init),
            masks,
            tuple(teachers),
        )

    def run(self, resume: bool = False) -> ConceptModel:
        """Train to the end; returns the finished model, also saved in the output folder."""
        run = self.current
        run.output.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(run.settings.seed)  # whatever was drawn since the trainer was made
        file = StateFile(run.output / STATE_FILE, run.fingerprint(), self.save_seconds)
        position, snapshot = _saved(run, file) if resume and file.path.is_file() else (None, None)
        run.log = RunLog(run.output / "log.jsonl", position.log_bytes if position else 0)
        if position is None:
            run.log.write("start", settings=run.settings.to_dict(), train=len(run.train), dev=len(run.dev))
        order = [plan.name for plan in self.plans]
        for plan in self.plans[order.index(position.phase) if position else 0 :]:
            Phase(run, plan, file, position, snapshot).run()
            position, snapshot = None, None
        model = finish_model(run)
        file.path.unlink(missing_ok=True)
        return model


def _saved(run: Run, file: StateFile) -> tuple[Position, Snapshot]:
    position, tensors = file.load()
    network = run.network
    if not isinstance(network, SparseCBM):
        return position, Snapshot.from_tensors(tensors, (), {})
    return position, Snapshot.from_tensors(tensors, network.parts, network.mask_shapes)

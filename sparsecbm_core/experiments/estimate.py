"""How long things take here: a few steps against the clock, before hours of them."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sparsecbm_core.experiments.lab import Lab, Run
from sparsecbm_core.version import __version__

if TYPE_CHECKING:
    import torch

    from sparsecbm_core.config import TrainSettings
    from sparsecbm_core.models.sparse_cbm import CBMOutput
    from sparsecbm_core.training.losses import LabelledBatch

NOT_INSTALLED = "not installed"  # in results of before, of a package that was run from its folder
STEPS = 3  # after a first one that does not count
READ_COST = 0.3  # of a dense training step: the same reviews read, without gradients
CORRECTIONS = 2


def versions(device: str | None) -> dict[str, str]:
    """What results depend on besides settings and data."""
    from sparsecbm_core.models.device import pick_device

    return {
        "sparsecbm": __version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "device": pick_device(device).type,
    }


class Costs:
    """Work of runs in dense training steps, each counted where it is first needed."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._counted: set[object] = set()

    def of(self, run: Run, split: str) -> float:
        """To train what is missing of a run, and to measure it on a split."""
        units = 0.0
        for item in self.lab.missing(run):
            folder = self.lab.folder(item)
            if folder not in self._counted:
                self._counted.add(folder)
                units += self.lab.units(item)
        cost = 4 if run.settings.kind == "sparse" else 1
        return units + READ_COST * cost * len(self.lab.reviews(split)) / run.settings.batch_size


class Bench:
    """A network in the middle of training, and first batches of an epoch. Steps change gradients alone."""

    def __init__(self, lab: Lab, settings: TrainSettings, split: str, batches: int) -> None:
        from sparsecbm_core.models.device import pick_device
        from sparsecbm_core.training.runtime import pick_precision
        from sparsecbm_core.training.start import TrainingBatches, starting_network

        reviews = lab.reviews(split)
        self.device, self.gamma = pick_device(lab.device), settings.gamma
        self.dtype = pick_precision(settings.precision, self.device)
        network, tokenizer = starting_network(settings, reviews.space, None, self.device)
        self.network = network.train()
        data = TrainingBatches(reviews, tokenizer, settings, self.device)
        self.batches = [data.gather(indices) for indices in data.epoch(0)[:batches]]

    def step(
        self,
        batch: LabelledBatch,
        forward: Callable[[torch.Tensor, torch.Tensor], CBMOutput] | None = None,
    ) -> None:
        """Forward and backward of one batch; ``forward`` in place of the dense network's own pass."""
        import torch
        import torch.nn.functional as F

        from sparsecbm_core.models.sparse_cbm import StandardClassifier
        from sparsecbm_core.training.losses import joint_loss

        self.network.zero_grad(set_to_none=True)
        precise = self.dtype == torch.float32
        with torch.autocast(self.device.type, dtype=None if precise else self.dtype, enabled=not precise):
            if isinstance(self.network, StandardClassifier):
                said = self.network(batch.input_ids, batch.attention_mask)
                loss = F.cross_entropy(said.float(), batch.labels)
            else:
                output = (forward or self.network)(batch.input_ids, batch.attention_mask)
                loss = joint_loss(output, batch, self.gamma).total
        loss.backward()

    def seconds(self, step: Callable[[LabelledBatch], None], batch: LabelledBatch) -> float:
        from sparsecbm_core.models.device import wait_for

        started = time.perf_counter()
        step(batch)
        wait_for(self.device)
        return time.perf_counter() - started


def step_seconds(lab: Lab, run: Run) -> float:
    """One dense training step of a run, forward and backward, on its own reviews."""
    bench = Bench(lab, run.settings, run.train, STEPS + 1)
    seconds = [bench.seconds(bench.step, bench.batches[i % len(bench.batches)]) for i in range(STEPS + 1)]
    return statistics.mean(seconds[1:])


def correction_seconds(lab: Lab, options: Any) -> float:
    """One correction of a sentence in the model of the options, by the rule that needs no guard profile."""
    from sparsecbm_core.intervene.correct import intervene

    model, seconds = lab.load(options.model), []
    space = model.space
    for concept in (space.concepts * CORRECTIONS)[: CORRECTIONS + 1]:
        text = "We came on a Friday with friends, stayed long, and talked about it all the way home."
        said = int(model.predict([text]).states[0, space.concept_index(concept)])
        state = space.states[(said + 1) % space.num_states]
        started = time.perf_counter()
        intervene(model, text, concept, state, "signed")
        seconds.append(time.perf_counter() - started)
    return sum(seconds[1:]) / max(1, len(seconds) - 1)

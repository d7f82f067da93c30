"""How long things take here: a few steps against the clock, before hours of them."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from sparsecbm_core.version import __version__

if TYPE_CHECKING:
    from sparsecbm_core.experiments.lab import Lab, Run
    from sparsecbm_core.models.concept_model import ConceptModel

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


def step_seconds(lab: Lab, run: Run) -> float:
    """One dense training step of a run, forward and backward, on its own reviews."""
    import torch
    import torch.nn.functional as F

    from sparsecbm_core.models.device import pick_device, wait_for
    from sparsecbm_core.models.sparse_cbm import StandardClassifier
    from sparsecbm_core.training.losses import joint_loss
    from sparsecbm_core.training.runtime import pick_precision
    from sparsecbm_core.training.start import TrainingBatches, starting_network

    settings, train = run.settings, lab.reviews(run.train)
    device = pick_device(lab.device)
    dtype = pick_precision(settings.precision, device)
    network, tokenizer = starting_network(settings, train.space, None, device)
    network.train()
    batches = TrainingBatches(train, tokenizer, settings, device)
    order, seconds = batches.epoch(0), []
    for step in range(STEPS + 1):
        batch = batches.gather(order[step % len(order)])
        started = time.perf_counter()
        precise = dtype == torch.float32
        with torch.autocast(device.type, dtype=None if precise else dtype, enabled=not precise):
            if isinstance(network, StandardClassifier):
                said = network(batch.input_ids, batch.attention_mask)
                loss = F.cross_entropy(said.float(), batch.labels)
            else:
                output = network(batch.input_ids, batch.attention_mask, None)
                loss = joint_loss(output, batch, settings.gamma).total
        loss.backward()
        wait_for(device)
        seconds.append(time.perf_counter() - started)
    return sum(seconds[1:]) / STEPS


def correction_seconds(model: ConceptModel) -> float:
    """One correction of a sentence, by the rule that needs no guard profile."""
    from sparsecbm_core.intervene.correct import intervene

    space, seconds = model.space, []
    for concept in (space.concepts * CORRECTIONS)[: CORRECTIONS + 1]:
        text = "We came on a Friday with friends, stayed long, and talked about it all the way home."
        said = int(model.predict([text]).states[0, space.concept_index(concept)])
        state = space.states[(said + 1) % space.num_states]
        started = time.perf_counter()
        intervene(model, text, concept, state, "signed")
        seconds.append(time.perf_counter() - started)
    return sum(seconds[1:]) / max(1, len(seconds) - 1)

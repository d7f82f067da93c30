"""Whether subnetworks are each concept's own: every concept read through every one of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.subnetworks import active
from sparsecbm_core.progress import OnCount, unheard


@dataclass(frozen=True)
class CrossAccuracy:
    """accuracy(concept k | mask j) over ``examples`` texts: ``accuracy[k][j]``.

    Subnetworks are a concept's own where the diagonal is high and the rest of its row low.
    """

    concepts: tuple[str, ...]
    accuracy: tuple[tuple[float, ...], ...]
    examples: int

    @property
    def mean_own(self) -> float:
        """Mean accuracy under a concept's own mask."""
        return sum(row[k] for k, row in enumerate(self.accuracy)) / len(self.accuracy)

    @property
    def mean_other(self) -> float | None:
        """Mean accuracy under the other concepts' masks; None for a single concept."""
        others = [value for k, row in enumerate(self.accuracy) for j, value in enumerate(row) if j != k]
        return sum(others) / len(others) if others else None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "mean_own": self.mean_own, "mean_other": self.mean_other}


def cross_accuracy(
    model: ConceptModel,
    data: ReviewDataset,
    batch_size: int = 32,
    on_progress: OnCount = unheard,
) -> CrossAccuracy:
    """Predict every concept through every concept's subnetwork.

    One pass over the data: the text vectors of the K subnetworks are read by all K heads.

    >>> cross_accuracy(model, reviews).concepts
    ('food', 'service', 'noise')
    """
    network, weights = model.cbm, model.weights
    if weights is None:
        raise InputError("a dense model has one encoder for all concepts: there are no masks to swap")
    if not data.examples:
        raise InputError(f"no examples in {data.name} {data.split}; cross accuracy needs at least one")
    if data.space.concepts != model.space.concepts or data.space.states != model.space.states:
        raise InputError(
            f"the data has concepts {list(data.space.concepts)}, the model {list(model.space.concepts)}"
        )
    gold = torch.tensor([example.concepts for example in data.examples])  # (N, K)
    size, done = model.space.num_concepts, 0
    weights = weights.first(size)
    correct = torch.zeros(size, size, dtype=torch.int64)
    for indices, ids, mask in model.batches(model.encode(data.texts), batch_size):
        with torch.no_grad(), active(weights):
            rows = network.embed(ids).repeat(size, 1, 1)  # (K·B, T, E), concept slowest
            pooled = network.pooled(rows, mask.repeat(size, 1)).unflatten(0, (size, -1))  # (K, B, E)
            for j in range(size):
                states = network.project_swapped(pooled[j : j + 1])[0].argmax(-1)  # (B, K) under mask j
                correct[:, j] += (states.cpu() == gold[indices]).sum(0)
        done += len(indices)
        on_progress(done, len(data))
    accuracy = tuple(tuple(row) for row in (correct.double() / len(data)).tolist())
    return CrossAccuracy(model.space.concepts, accuracy, len(data))

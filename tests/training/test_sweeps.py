"""The settings that experiments sweep: sparsity and the number of concepts."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import SparseCBMWarning
from sparsecbm_core.pruning.select import kept_total
from tests.tiny import SPACE
from tests.toy import dataset
from tests.training.runs import DEV, TRAIN, train

QUICK = {"dense_epochs": 0, "sparse_epochs": 1}
PRUNE = {"num_grads": 2, "updates": 2, "schedule_share": 0.5}


def kept(model):
    return {sum(counts.values()) for counts in model.masks.kept().values()}


@pytest.mark.parametrize("sparsity", [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])
def test_sparsities(backbone, tmp_path, sparsity):
    model = train(backbone, tmp_path, {**PRUNE, "sparsity": sparsity, "exclusivity": 0.0}, **QUICK)
    assert kept(model) == {kept_total(4096, sparsity)}
    assert model.metrics["dev"]["sparsity"] == pytest.approx(
        dict.fromkeys(SPACE.concepts, sparsity), abs=1 / 4096
    )


@pytest.mark.parametrize("concepts", range(2, 9))
def test_numbers_of_concepts(backbone, tmp_path, concepts):
    """Below a sparsity of 1 − 1/K distinct subnetworks are impossible, and the run says so."""
    space = ConceptSpace(tuple(f"concept{i}" for i in range(concepts)), SPACE.states, SPACE.labels)
    rng = random.Random(concepts)

    def of(data):
        drawn = [replace(e, concepts=tuple(rng.randrange(3) for _ in range(concepts))) for e in data]
        return dataset(drawn, data.split, space)

    prune = {**PRUNE, "sparsity": 1 - 1 / concepts}
    model = train(backbone, tmp_path / "run", prune, data=of(TRAIN), dev=of(DEV), **QUICK)
    assert model.space.num_concepts == len(model.masks.kept()) == concepts
    assert kept(model) == {kept_total(4096, 1 - 1 / concepts)}
    assert len(model.metrics["dev"]["sparsity"]) == concepts
    with pytest.warns(SparseCBMWarning, match=f"{concepts} subnetworks of sparsity"):
        train(
            backbone, tmp_path / "denser", {**PRUNE, "sparsity": 0.45}, data=of(TRAIN), dev=of(DEV), **QUICK
        )

"""Ways to train a model, by name: what experiments compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sparsecbm_core.config import PruneSettings, TrainSettings, assigned
from sparsecbm_core.errors import InputError, one_of

OWN = ("kind", "seed", "backbone", "prune")  # an experiment decides these itself
PRUNING = tuple(item.name for item in fields(PruneSettings))
TRAINING = tuple(item.name for item in fields(TrainSettings) if item.name not in OWN)


@dataclass(frozen=True)
class Recipe:
    """Settings that differ from `TrainSettings`' and `PruneSettings`' own, by name, of both alike.

    ``start`` names the recipe of the dense model that the run begins with.
    """

    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    start: str | None = None


_DENSE = {"head": "paper", "dense_epochs": 7, "dropout": 0.1, "gamma": 0.4}
_SPARSE = {
    "kind": "sparse",
    "head": "paper",
    "sparsity": 0.75,
    "sparse_epochs": 5,
    "dropout": 0.0,
    "sparse_encoder_lr": 1e-4,
    "projector_lr": 1e-3,
    "classifier_lr": 5e-3,
    "scope": "matrix",
    "exclusivity": 0.0,
    "num_grads": 32,
    "grad_batch_size": 8,
    "updates": 4,
    "schedule_share": 0.35,
}
_TAUGHT = {**_SPARSE, "soft_concepts": 0.5, "distillation": 0.5}
# No weight is taken out: a sparse run's epochs, rates and weight of the concepts, without its masks.
WHOLE = {
    "sparsity": 0.0,
    "criterion": "magnitude",
    "updates": 1,
    "method": "gradual",
    "exclusivity": 0.0,
    "swap_loss": 0.0,
}

RECIPES: Mapping[str, Recipe] = {
    "standard": Recipe("standard fine-tuning", {"kind": "standard", "dense_epochs": 5, "dropout": 0.1}),
    "joint": Recipe("CBM, joint", {"kind": "cbm", **_DENSE}),
    "sequential": Recipe("CBM, sequential", {"kind": "sequential", **_DENSE}),
    "independent": Recipe("CBM, independent", {"kind": "independent", **_DENSE}),
    "continued": Recipe(
        "CBM, joint, trained on like SparseCBM, with all weights", {**_SPARSE, **WHOLE}, "joint"
    ),
    "sparse": Recipe("SparseCBM, the paper's recipe", _SPARSE, "joint"),
    "honest": Recipe(
        "honest CBM, with the annotators' votes and made edits",
        {"kind": "cbm", **_DENSE, "head": "honest", "soft_concepts": 0.5, "made_edits": 0.5},
    ),
    "votes": Recipe(
        "CBM, joint, with the annotators' votes", {"kind": "cbm", **_DENSE, "soft_concepts": 0.5}
    ),
    "taught": Recipe("SparseCBM, with votes and distillation", _TAUGHT, "votes"),
    "disjoint": Recipe(
        "SparseCBM, subnetworks that share nothing",
        {**_TAUGHT, "method": "partition", "swap_loss": 0.1, "sparse_encoder_lr": 3e-4},
        "votes",
    ),
    "distinct": Recipe(
        "SparseCBM, distinct subnetworks, with votes and distillation",
        {**_TAUGHT, "exclusivity": 0.88},
        "votes",
    ),
}


def sparse_recipe(name: str) -> Recipe:
    """A recipe whose models have masks; `InputError` for any other name."""
    found = RECIPES.get(name)
    if found is None or found.start is None or found.values.get("sparsity") == 0.0:
        known = [n for n, r in RECIPES.items() if r.start is not None and r.values.get("sparsity") != 0.0]
        raise InputError(one_of(name, known, "sparse recipe"))
    return found


def settings_of(
    recipe: Recipe,
    backbone: str,
    seed: int,
    chosen: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> TrainSettings:
    """A recipe's settings, with what the user has ``chosen`` and, above that, the experiment has ``given``.

    A choice that means nothing for the recipe's kind is left out: what only a sparse model has.
    """
    values = {**recipe.values, **(chosen or {}), **(given or {})}
    if recipe.values.get("kind", "sparse") != "sparse":
        for name in ("distillation", "swap_loss"):
            values.pop(name, None)
    prune = {name: values.pop(name) for name in PRUNING if name in values}
    return TrainSettings.from_dict({**values, "backbone": backbone, "seed": seed, "prune": prune})


def chosen_settings(assignments: Iterable[str], epochs: int | None) -> dict[str, Any]:
    """Settings from ``name=value`` pairs; ``epochs`` stands for the epochs of each phase.

    >>> chosen_settings(["damp=1e-6", "scope=global"], 2)
    {'dense_epochs': 2, 'sparse_epochs': 2, 'damp': 1e-06, 'scope': 'global'}
    """
    values: dict[str, Any] = {} if epochs is None else {"dense_epochs": epochs, "sparse_epochs": epochs}
    return {**values, **assigned(assignments, (*TRAINING, *PRUNING))}

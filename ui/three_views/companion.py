"""The dense model beside a sparse one: what there is, and what a reader has to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import SparseCBMError
from ui.resources import models
from ui.resources.models import ModelCard

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel


@dataclass(frozen=True)
class Companion:
    """``model`` is None where there is none: ``problem`` says why and ``command`` what would help. ``note``
    is a word of caution about one that is there."""

    model: ConceptModel | None
    problem: str | None = None
    command: str | None = None
    note: str | None = None


MISSING = "There is no dense model beside this one. Copy the folder of the dense training run's model here:"


def beside(card: ModelCard, base: ConceptModel) -> Companion:
    """The dense model to look at beside ``base``: itself, where it is dense."""
    if base.masks is None:
        return Companion(base)
    try:
        model = models.dense(card)
    except (SparseCBMError, OSError) as error:  # OSError: the folder is just being replaced
        return Companion(None, f"The dense model beside this one cannot be used. {error}.")
    if model is None:
        return Companion(None, MISSING, f"cp -r runs/dense/model {_short(card.folder / models.DENSE)}")
    return Companion(model, note=note(base.training, model.fingerprint, model.training))


def note(
    training: Mapping[str, Any], fingerprint: str, dense_training: Mapping[str, Any] | None = None
) -> str | None:
    """What to say where the dense model is not known to be the one that the subnetworks were cut from.

    ``training`` is what the sparse model says of its own, ``dense_training`` what the dense one says.
    """
    start = training.get("init") or {}
    named = start.get("fingerprint") if isinstance(start, dict) else None
    if named is None:
        return (
            "The sparse model does not say which dense model it was cut from; the one shown here may be "
            "another."
        )
    if named == fingerprint:
        return None
    if _same_run(start, dense_training or {}):
        return (
            f"The dense model shown here ({fingerprint}) was trained on the same reviews with the same "
            f"settings as the one that the subnetworks were cut from ({named}), in another run."
        )
    return (
        f"The dense model shown here ({fingerprint}) is another one than the subnetworks were cut from "
        f"({named})."
    )


def _same_run(start: Mapping[str, Any], dense: Mapping[str, Any]) -> bool:
    """Whether two runs were given the same, as far as their records say."""
    keys = ("data", "train_split", "train_examples", "dev_split", "settings")
    return "settings" in start and all(start.get(key) == dense.get(key) for key in keys)


def _short(path: Path) -> str:
    """As seen from where the app was started, if it lies below."""
    path, here = path.absolute(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)

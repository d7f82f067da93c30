"""The models that a person can choose from: what their folders say, and each loaded once for all sessions.

What needs torch is imported inside the functions, so that a page can paint before it is there.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.record import CBM, CONFIG, MASKS, STANDARD, WEIGHTS, ModelRecord, read_record
from ui.resources import memory
from ui.resources.assets import ASSETS
from ui.resources.known import model_title

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

VARIABLE = "SPARSECBM_MODEL"
PARTS = CONFIG, WEIGHTS, MASKS  # with any of them a folder was meant to be a model
BUNDLED = ASSETS / "models" / "cebab-minilm"
MODELS, FIRST = BUNDLED.parent, BUNDLED.name
DENSE = "dense"  # where a model's folder may hold the dense one that it was cut from


@dataclass(frozen=True)
class ModelCard(ModelRecord):
    """What a model folder says of itself, and what people call it: a page can be painted before the model."""

    title: str = ""


def card(folder: Path) -> ModelCard:
    """The card of the model in a folder; `CheckpointError` in one line where it cannot be used."""
    record = read_record(folder)
    if record.kind == STANDARD:
        raise CheckpointError(f"{folder} holds a standard classifier, which has no concepts to explain")
    return ModelCard(**vars(record), title=model_title(folder.absolute().name, record.training))


def model(info: ModelCard) -> ConceptModel:
    """The model itself, shared by all sessions; loaded again when its files change."""
    return _load(str(info.folder), info.stamp)


# Room for two models, and for what takes the place of their files while the old ones are still in use.
@st.cache_resource(max_entries=4, show_spinner=False)
def _load(folder: str, stamp: tuple[int, ...]) -> ConceptModel:
    return _loaded(folder)


def dense(info: ModelCard) -> ConceptModel | None:
    """The dense model that a sparse one was cut from, out of the folder ``dense`` inside its own; None where
    there is none.

    `CheckpointError` in one line where it is damaged, no dense concept bottleneck, or of other concepts.
    """
    folder = info.folder / DENSE
    if not folder.is_dir():
        return None
    own = card(folder)
    if own.kind != CBM:
        raise CheckpointError(f"{folder} holds a model of kind {own.kind!r}; it must be a dense one, {CBM!r}")
    if own.space.names != info.space.names:
        raise CheckpointError(
            f"{folder} is a model of other concepts, states or labels: {', '.join(own.space.concepts)}"
        )
    return _load_dense(str(folder), own.stamp)


# Beside the models, and not in place of one that people read with.
@st.cache_resource(max_entries=2, show_spinner=False)
def _load_dense(folder: str, stamp: tuple[int, ...]) -> ConceptModel:
    return _loaded(folder)


def _loaded(folder: str) -> ConceptModel:
    import torch

    from sparsecbm_core.models.concept_model import ConceptModel

    torch.set_num_threads(threads())
    loaded = ConceptModel.from_pretrained(folder, "cpu")
    _ = loaded.fingerprint, loaded.weights  # made once, here, not in the first visitor's first answer
    memory.leave_alone()
    return loaded


def threads() -> int:
    """Threads that the model may use, of the cores that this process may.

    One core stays free for the server, or every other visitor waits while one text is explained.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return max(1, allowed - 1)


@dataclass(frozen=True)
class Offer:
    """``cards`` by the name that the address uses, the default first. ``problems`` say of each folder that is
    not offered, in one line, what is wrong with it."""

    cards: Mapping[str, ModelCard]
    problems: tuple[str, ...] = ()

    @property
    def default(self) -> str:
        return next(iter(self.cards))

    @property
    def several(self) -> bool:
        return len(self.cards) > 1


def offered() -> Offer:
    """What there is now: a model that is put beside the others is there at the next visit to a page."""
    cards, problems = [], []
    for folder in _folders():
        try:
            cards.append(card(folder))
        except (CheckpointError, OSError) as error:  # OSError: the folder is just being replaced
            problems.append(str(error))
    if not cards and not problems:
        problems.append(f"There is no model folder in {MODELS}")
    return Offer(_by_name(cards), tuple(problems))


def _folders() -> list[Path]:
    """Those that the environment names, then those of the app: each once."""
    named = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part.strip()]
    found: dict[Path, Path] = {}
    for folder in (*named, *_bundled()):
        found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _bundled() -> list[Path]:
    """What lies in the app's own folder and holds a part of a model."""
    if not MODELS.is_dir():
        return []
    there = [folder for folder in MODELS.iterdir() if not folder.name.startswith(".") and folder.is_dir()]
    models = [folder for folder in there if any((folder / name).is_file() for name in PARTS)]
    return sorted(models, key=lambda folder: (folder.name != FIRST, folder.name))


def _by_name(cards: Sequence[ModelCard]) -> dict[str, ModelCard]:
    """Named after their folders, with a number where two are called the same; titles tell them apart too."""
    found: dict[str, ModelCard] = {}
    for card in cards:
        own = name = card.folder.absolute().name
        number = 1
        while name in found:
            number += 1
            name = f"{own}-{number}"
        found[name] = card
    titles = Counter(card.title for card in cards)
    return {
        name: card if titles[card.title] == 1 else replace(card, title=_with_name(card.title, name))
        for name, card in found.items()
    }


def _with_name(title: str, name: str) -> str:
    """A title that several models have: which of them it is. One without a title of its own is its name."""
    return name if name.startswith(title) else f"{title}, {name}"

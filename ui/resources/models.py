"""The models that a person can choose from: those of the app, and those that the environment names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.record import CONFIG, MASKS, WEIGHTS
from ui.resources import loader
from ui.resources.loader import ModelCard

VARIABLE = "SPARSECBM_MODEL"
PARTS = CONFIG, WEIGHTS, MASKS  # with any of them a folder was meant to be a model
MODELS, FIRST = loader.BUNDLED.parent, loader.BUNDLED.name


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
            cards.append(loader.card(folder))
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

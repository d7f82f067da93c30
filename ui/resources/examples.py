"""The example reviews that the Explain page offers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from ui.resources.assets import ASSETS

FOLDER = ASSETS / "reviews"
FILES = "examples*.json"


@dataclass(frozen=True)
class Example:
    """A review with the name the address uses and the title a menu shows."""

    id: str
    title: str
    text: str


@cache
def examples_for(concepts: tuple[str, ...]) -> dict[str, Example]:
    """The examples by name, in order; none where all of them speak of other things than the model does."""
    return {
        row["id"]: Example(row["id"], row["title"], row["text"])
        for file in sorted(FOLDER.glob(FILES))
        for row in json.loads(file.read_text(encoding="utf-8"))["examples"]
        if set(concepts) <= set(row["concepts"])
    }

"""What is known of data sets and encoders by their name: in words, their licence, their home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Source:
    """``short`` stands in the model's title."""

    name: str
    short: str
    licence: str
    home: str


IMDB_C = Source(
    "IMDB-C (Tan et al., 2023)",
    "Films",
    "licence: see the authors' repository",
    "https://github.com/Zhen-Tan-dmml/CBM_NLP",
)
DATA = {
    "CEBaB": Source(
        "CEBaB (Abraham et al., 2022)", "Restaurants", "CC BY 4.0", "https://cebabing.github.io/CEBaB/"
    ),
    # Labelled by people or by a machine, or both together.
    **dict.fromkeys(("IMDB-C", "IMDB-C manual", "IMDB-C generated"), IMDB_C),
}
ENCODERS = {
    "all-MiniLM-L6-v2": Source(
        "all-MiniLM-L6-v2 (sentence-transformers)",
        "MiniLM",
        "Apache License 2.0",
        "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    ),
}


def encoder_name(training: Mapping[str, Any]) -> str | None:
    """The encoder that training started from: a name, not where its folder once was."""
    settings = training.get("settings") or {}
    name = training.get("backbone_name") or settings.get("backbone")
    return str(name).rstrip("/").rsplit("/", 1)[-1] if name else None


def model_title(folder: str, training: Mapping[str, Any]) -> str:
    """The model in words, "Restaurants (MiniLM)"; its folder's name where that is not known.

    >>> model_title("my-model", {"data": "CEBaB", "settings": {"backbone": "x/all-MiniLM-L6-v2"}})
    'Restaurants (MiniLM)'
    """
    data, encoder = DATA.get(str(training.get("data"))), ENCODERS.get(encoder_name(training) or "")
    return f"{data.short} ({encoder.short})" if data and encoder else folder

"""What is known of data sets and encoders by their name: in words, their licence, their home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Source:
    """``short`` stands in the model's title; ``home`` is empty for what comes with the project."""

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
OURS = Source("reviews written for this project", "", "Apache License 2.0", "")
DATA = {
    "CEBaB": Source(
        "CEBaB (Abraham et al., 2022)", "Restaurants", "CC BY 4.0", "https://cebabing.github.io/CEBaB/"
    ),
    # Labelled by people or by a machine, or both together.
    **dict.fromkeys(("IMDB-C", "IMDB-C manual", "IMDB-C generated"), IMDB_C),
    **dict.fromkeys(("train-restaurants", "train-films"), OURS),
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


def data_names(training: Mapping[str, Any]) -> list[str]:
    """The data sets that a model was trained on, the greatest part first (`data.open.joined`).

    >>> data_names({"data": "CEBaB and train-restaurants"})
    ['CEBaB', 'train-restaurants']
    """
    return str(training["data"]).split(" and ") if training.get("data") else []


def model_title(folder: str, training: Mapping[str, Any]) -> str:
    """The model in words, "Restaurants (MiniLM)"; its folder's name where that is not known.

    >>> model_title("my-model", {"data": "CEBaB", "settings": {"backbone": "x/all-MiniLM-L6-v2"}})
    'Restaurants (MiniLM)'
    """
    names, encoder = data_names(training), ENCODERS.get(encoder_name(training) or "")
    data = DATA.get(names[0]) if names else None
    return f"{data.short} ({encoder.short})" if data and data.short and encoder else folder

"""What a model folder says of itself: read and checked without torch, and without its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.config import HEADS, PAPER
from sparsecbm_core.errors import CheckpointError, SparseCBMError
from sparsecbm_core.files import read_json, too_new

SCHEMA_VERSION = 2
KINDS = STANDARD, CBM, SPARSE = "standard", "cbm", "sparse"  # what a network is, however it was trained
CONFIG, METRICS, CARD = "config.json", "metrics.json", "README.md"
WEIGHTS, MASKS, TOKENIZER = "model.safetensors", "masks.safetensors", "tokenizer"
WORDS = "words.safetensors"  # where the model knows them
FILES = CONFIG, METRICS, WEIGHTS, f"{TOKENIZER}/tokenizer.json"  # of every model; a sparse one has masks too


@dataclass(frozen=True)
class ModelRecord:
    """A model folder by its JSON files: enough to show the model, to choose it and to check it.

    ``kind`` is one of `KINDS`. ``training`` and ``metrics`` are how it was made and what was measured.
    ``head`` is one of `HEADS`: "paper" in folders of version 1, which know no other.
    ``fingerprint`` is that of weights and masks, ``version`` that of the package which wrote them; older
    folders lack one or both. ``encoder`` is the encoder's configuration. ``stamp`` changes with the files.
    """

    folder: Path
    stamp: tuple[int, ...]
    kind: str
    space: ConceptSpace
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]
    fingerprint: str | None = None
    version: str | None = None
    encoder: Mapping[str, Any] = field(default_factory=dict)
    max_length: int = 0
    head: str = PAPER

    @property
    def identity(self) -> str:
        """What tells one model from another, wherever its folder is."""
        return self.fingerprint or f"{self.folder.absolute()} {self.stamp}"


def read_record(folder: Path) -> ModelRecord:
    """The record of the model in ``folder``; `CheckpointError` in one line where it cannot be one.

    Weights and masks are looked at only for being there and whole.
    """
    file = folder / CONFIG
    if not file.is_file():
        raise CheckpointError(f"{folder} is not a model folder: {CONFIG} is missing")
    config = read_json(file)
    space, max_length = _usable(file, config)
    kind = config["kind"]
    tensors = [folder / name for name in (WEIGHTS, *([MASKS] if kind == SPARSE else []))]
    for path in (*(folder / name for name in FILES), *tensors):
        if not path.is_file():
            name = path.relative_to(folder)
            raise CheckpointError(f"{folder} is not a complete model folder: {name} is missing")
    for path in tensors:
        _check_whole(path)
    return ModelRecord(
        folder,
        tuple(path.stat().st_mtime_ns for path in (file, *tensors)),
        kind,
        space,
        config.get("training", {}),
        read_json(folder / METRICS),
        _text(config, "fingerprint"),
        _text(config, "version"),
        config["encoder"],
        max_length,
        config.get("head", PAPER),
    )


def _usable(file: Path, config: Mapping[str, Any]) -> tuple[ConceptSpace, int]:
    """The concepts and the length that a config.json names; `CheckpointError` where it cannot be used."""
    version, kind, training = config.get("schema_version"), config.get("kind"), config.get("training", {})
    if not isinstance(version, int):
        raise CheckpointError(f"{file} has no schema_version; is it a SparseCBM checkpoint?")
    if version > SCHEMA_VERSION:
        raise too_new(file.parent, version, SCHEMA_VERSION)
    if kind not in KINDS:
        raise CheckpointError(f"{file} has kind {kind!r}; expected {', '.join(KINDS)}")
    if config.get("head", PAPER) not in HEADS:
        raise CheckpointError(f"{file} has head {config['head']!r}; expected {', '.join(HEADS)}")
    missing = [name for name in ("space", "encoder", "max_length") if name not in config]
    if missing:
        raise CheckpointError(f"{file} lacks {', '.join(missing)}")
    if not isinstance(config["encoder"], dict):
        raise CheckpointError(f"{file} is not usable: encoder must be a JSON object")
    if not isinstance(training, dict) or not isinstance(training.get("settings", {}), dict):
        raise CheckpointError(f"{file} is not usable: training must be a JSON object")
    try:
        return ConceptSpace.from_dict(config["space"]), int(config["max_length"])
    except (TypeError, ValueError, SparseCBMError) as error:
        raise CheckpointError(f"{file} is not usable: {error}") from error


def holds_model(folder: Path) -> bool:
    """Whether the folder is one of ours: every Hugging Face model has a config.json as well."""
    try:
        config = read_json(folder / CONFIG)
    except CheckpointError:
        return False
    return isinstance(config.get("schema_version"), int) and config.get("kind") in KINDS


def _text(config: Mapping[str, Any], name: str) -> str | None:
    value = config.get(name)
    return value if isinstance(value, str) else None


def _check_whole(path: Path) -> None:
    """A safetensors file's head is read, and its length is compared with it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error

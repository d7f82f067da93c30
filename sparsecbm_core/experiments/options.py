"""What can be chosen of an experiment: frozen dataclasses that the command line makes options of.

A field is text, a number, a path, a truth value, or a tuple of these, which is written with commas, or as one
option for each where it ``repeats``. `Choice` annotates it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from sparsecbm_core.errors import InputError, one_of

BACKBONE = "sentence-transformers/all-MiniLM-L6-v2"
BUNDLED = Path("assets/models/cebab-minilm")


@dataclass(frozen=True)
class Choice:
    """What the command line says of a field; ``flag`` where its option is called otherwise."""

    help: str
    flag: str | None = None
    repeats: bool = False


@dataclass(frozen=True)
class Training:
    """Of every experiment that trains models."""

    train_split: Annotated[
        str | None, Choice("Split to train on; default: train (cebab: train_exclusive).")
    ] = None
    dev_split: Annotated[str | None, Choice("Split that chooses the best epoch; default: dev.")] = None
    splits: Annotated[
        tuple[str, ...], Choice("Splits to measure on; default: the one that chooses the epoch.")
    ] = ()
    backbone: Annotated[tuple[str, ...], Choice("Encoder, by name or folder.", repeats=True)] = (BACKBONE,)
    seeds: Annotated[tuple[int, ...], Choice("One run each.")] = (0,)
    epochs: Annotated[int | None, Choice("Epochs of each phase; default: each recipe's own.")] = None
    setting: Annotated[
        tuple[str, ...], Choice("Any other setting of training as name=value.", flag="--set", repeats=True)
    ] = ()


@dataclass(frozen=True)
class FromDense(Training):
    """Of experiments that prune one dense model in many ways."""

    init: Annotated[
        Path | None, Choice("Dense concept bottleneck to start from; default: one is trained.")
    ] = None


def check_names(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """`InputError` for the first name that is not known."""
    known = list(known)
    for name in given:
        if name not in known:
            raise InputError(one_of(name, known, what))


def check_least(options: Any, **least: int) -> None:
    """`InputError` for the first option below its least value."""
    for name, value in least.items():
        if getattr(options, name) < value:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag} must be at least {value}, got {getattr(options, name)}")


def chosen(options: Any, *names: str) -> dict[str, Any]:
    """Some of the options, as settings."""
    return {name: getattr(options, name) for name in names}

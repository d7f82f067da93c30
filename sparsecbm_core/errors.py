"""One error family: everything the package raises on bad input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class SparseCBMError(ValueError):
    """Base class. The message is one line that says what was wrong and what is allowed."""


class DataError(SparseCBMError):
    """A data file or a row in it cannot be read as asked."""


class SettingsError(SparseCBMError):
    """A setting has a value that makes no sense, alone or together with another."""


class TrainingError(SparseCBMError):
    """A run that was well asked for cannot go on."""


class CheckpointError(SparseCBMError):
    """A model folder is missing something, damaged, or not of a kind this version reads."""


class InputError(SparseCBMError):
    """A text, concept, state or method given by the caller is not acceptable."""


class PatchError(SparseCBMError):
    """A patch file is damaged, or belongs to another model."""


class LedgerError(SparseCBMError):
    """The ledger of corrections cannot be read or written."""


class EndpointError(SparseCBMError):
    """A language model's server cannot be reached, refuses, or does not answer as its protocol says."""


class SparseCBMWarning(UserWarning):
    """Something is possible but hardly meant; the message is one line."""


def one_of(value: object, allowed: Iterable[object], what: str) -> str:
    """The sentence used everywhere for a value outside a closed list."""
    return f"unknown {what} {value!r}; choose one of: {', '.join(map(str, allowed))}"


def first_problem(error: ValidationError, skip: int = 0) -> str:
    """The first thing that is wrong with a file and its place there, without the ``skip`` outermost names."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"][skip:])) or "as a whole"
    return f"{place}: {first['msg']}"

"""Corrections as rows of the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Row

from sparsecbm_core.errors import InputError, LedgerError, PatchError
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.ledger.correction import ACTIVE, KeptCorrection

_TEXTS = ("model", "concept", "state_before", "state", "rule", "note", "text")
_COPIED = (*_TEXTS, "r", "seed", "dropped", "grown", "scope")


def patch_values(patch: Patch, now: datetime) -> dict[str, Any]:
    """The row of a new correction, active since ``now``; `InputError` for what cannot be kept."""
    if not patch.edit.size:
        raise InputError("the patch flips nothing: there is nothing to keep")
    for name in _TEXTS:
        storable(name, getattr(patch, name))
    return {
        **{name: getattr(patch, name) for name in _COPIED},
        "created": patch.time,
        "guard": None if patch.guard is None else dict(patch.guard),
        "status": ACTIVE,
        "changed": now,
        "edit": patch.edit.fingerprint(),
        "patch": replace(patch, note="", text=None).to_bytes(),
    }


def read_row(row: Row[Any]) -> KeptCorrection:
    """A row as its value; `LedgerError` where its patch is not the one that was kept."""
    try:
        patch, fingerprint = _read_patch(row.patch)
    except PatchError as error:
        raise LedgerError(f"correction {row.id} cannot be read: {error}") from error
    if (fingerprint, patch.model, patch.scope) != (row.edit, row.model, row.scope):
        raise LedgerError(f"correction {row.id} cannot be read: its patch is another one than was kept")
    patch = replace(patch, note=row.note, text=row.text)
    return KeptCorrection(
        id=row.id,
        created=patch.time,
        status=row.status,
        changed=row.changed,
        guard=patch.guard,
        patch=patch,
        **{name: getattr(patch, name) for name in _COPIED},
    )


@lru_cache(maxsize=1024)
def _read_patch(content: bytes) -> tuple[Patch, str]:
    """A kept patch and the fingerprint of its edit. Kept patches never change, and reading hundreds of them
    anew at every look at the ledger takes most of a second."""
    patch = Patch.from_bytes(content, "its patch")
    return patch, patch.edit.fingerprint()


def storable(name: str, value: str | None) -> None:
    """Raise `InputError` for text that no database keeps as it is."""
    if value is None:
        return
    if not isinstance(value, str):
        raise InputError(f"the {name} of a correction must be text, got {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the {name} of a correction holds half a character at {error.start}") from error
    if "\0" in value:
        raise InputError(f"the {name} of a correction holds a NUL character")

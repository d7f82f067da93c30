"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from sparsecbm_core.errors import CheckpointError


def write_json(path: Path, data: Any) -> None:
    """Write indented JSON through a temporary file."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text through a temporary file."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file through a temporary one of this call's own, whatever other threads and processes write."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_bytes(content)
        sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Force a file to the disk: a rename must not get there before the content."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; `CheckpointError` naming the file otherwise."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds {type(data).__name__}, expected an object")
    return data


def too_new(path: Path, version: int, known: int) -> CheckpointError:
    """The error for a file of a later form than this version knows."""
    return CheckpointError(
        f"{path} was written by a newer version (schema {version}; this one reads up to {known}); "
        "upgrade to load it"
    )

"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to write in that takes the place of ``target`` in the end; on an error it goes.

    What was there goes only once the new one is there. Killed in between, it waits as `former`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        for path in temporary.rglob("*"):
            if path.is_file():
                sync(path)
        _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, target: Path) -> None:
    old = former(target)
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def former(target: Path) -> Path:
    """Where a folder waits while another takes its place."""
    return target.with_name(f".{target.name}.old")


def real_path(path: str | Path) -> Path:
    """What a name or a link leads to, by its own name."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # no path at all: it leads nowhere
        return Path(path)


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

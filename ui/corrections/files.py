"""Corrections as files: patches out of an upload, and all of them in one archive."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sparsecbm_core.errors import PatchError
from ui.widgets.exports import json_text

if TYPE_CHECKING:
    from sparsecbm_core.ledger import KeptCorrection, Ledger

SUFFIX, ARCHIVE, LISTING = ".safetensors", ".zip", "corrections.json"
MOST_FILES, LARGEST = 2_000, 64 * 2**20  # patches in one archive, and their bytes together
LISTING_VERSION = 1


def patch_name(correction: KeptCorrection) -> str:
    return f"correction-{correction.id}-{correction.patch.edit.fingerprint()}{SUFFIX}"


def unpacked(name: str, content: bytes) -> list[tuple[str, bytes]]:
    """An uploaded patch as it is; of an archive every patch in it. `PatchError` for one without any."""
    if not name.lower().endswith(ARCHIVE):
        return [(name, content)]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inside = [item for item in archive.infolist() if item.filename.endswith(SUFFIX)]
            if not inside:
                raise PatchError(f"{name} holds no patch files")
            if len(inside) > MOST_FILES or sum(item.file_size for item in inside) > LARGEST:
                raise PatchError(
                    f"{name} is too large: up to {MOST_FILES:,} patches and {LARGEST // 2**20} MB are taken"
                )
            return [(Path(item.filename).name, archive.read(item)) for item in inside]
    except PatchError:
        raise
    # Damage shows in many ways: a broken directory, a bad checksum, a method or a password unknown here.
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        raise PatchError(f"{name} is damaged, or no zip archive") from error


def archive(ledger: Ledger, corrections: Sequence[KeptCorrection]) -> bytes:
    """A zip of one patch file each, and a list of them as JSON."""
    out = io.BytesIO()
    with (
        TemporaryDirectory() as folder,
        zipfile.ZipFile(out, "w", compression=zipfile.ZIP_DEFLATED) as bundle,
    ):
        paths = ledger.export([correction.id for correction in corrections], folder)
        for path in paths:
            bundle.write(path, path.name)
        rows = [
            {**correction.to_dict(), "file": path.name}
            for correction, path in zip(corrections, paths, strict=True)
        ]
        bundle.writestr(LISTING, json_text({"schema_version": LISTING_VERSION, "corrections": rows}))
    return out.getvalue()

"""Files are there whole or not at all, whoever else writes them."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sparsecbm_core import files
from sparsecbm_core.files import write_bytes


def test_threads_that_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    """As sessions of the app do, which keep the same guard profile."""
    path, contents = tmp_path / "kept", [bytes([number]) * (1000 + number) for number in range(8)]
    write_bytes(path, contents[0])

    def write(content: bytes) -> list[bytes]:
        found = []
        for _ in range(20):
            write_bytes(path, content)
            found.append(path.read_bytes())
        return found

    with ThreadPoolExecutor(len(contents)) as pool:
        read = [found for each in pool.map(write, contents) for found in each]
    assert len(read) == 160
    assert set(read) <= set(contents)
    assert os.listdir(tmp_path) == ["kept"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    write_bytes(tmp_path / "kept", b"before")
    monkeypatch.setattr(files, "sync", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(tmp_path / "kept", b"after")
    assert (tmp_path / "kept").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["kept"]

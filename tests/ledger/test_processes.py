"""Several writers at once lose nothing, and a killed one leaves nothing half-written."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sparsecbm_core.ledger import Ledger
from tests.ledger.made import MODEL, patch

ROOT = Path(__file__).resolve().parents[2]


def writer(place, first, count):
    command = [sys.executable, "-m", "tests.ledger.made", str(place), str(first), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_writers_at_once_lose_nothing(file):
    """They also make the ledger, all at once."""
    writers = [writer(file, first, 20) for first in (0, 1000, 2000)]
    said = []
    for process in writers:
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
        said += out.split()[1:]
    assert len(set(said)) == 60
    with Ledger.open(file) as ledger:
        assert {str(kept.id) for kept in ledger.list()} == set(said)
        assert {edit.fingerprint() for edit in ledger.edits(MODEL)} == {
            patch(first + number).edit.fingerprint() for first in (0, 1000, 2000) for number in range(20)
        }


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 17])
def test_a_killed_writer_leaves_a_whole_ledger(file, after):
    process = writer(file, 0, 100_000)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    said = [int(process.stdout.readline()) for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    said += [int(line) for line in out.splitlines(keepends=True) if line.endswith("\n")]
    with Ledger.open(file) as ledger:
        kept = ledger.list()
        # What was said to be kept is kept; one more may have been before it was said.
        assert [correction.id for correction in kept] == list(range(1, len(kept) + 1))
        assert len(said) <= len(kept) <= len(said) + 1
        assert all(correction.patch.edit == patch(correction.id - 1).edit for correction in kept)
        assert ledger.add(patch(500_000)).id == len(kept) + 1
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

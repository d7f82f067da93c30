from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparsecbm_core.ledger import Ledger


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(file) -> Iterator[Ledger]:
    with Ledger.open(file) as opened:
        yield opened

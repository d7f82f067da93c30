"""What the examples in docstrings find: a small random model, and reviews like those it reads."""

from __future__ import annotations

from typing import Any

import pytest
from _pytest.doctest import DoctestItem

# Alembic runs these with a context of its own.
collect_ignore = ["sparsecbm_core/ledger/migrations"]


@pytest.fixture(scope="session")
def example_names() -> dict[str, Any]:
    from tests.tiny import make_tiny
    from tests.toy import toy_reviews

    return {"model": make_tiny("bert"), "dense": make_tiny("bert", density=None), "reviews": toy_reviews(8)}


@pytest.fixture(autouse=True)
def _examples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(request.node, DoctestItem):
        request.getfixturevalue("doctest_namespace").update(request.getfixturevalue("example_names"))
        monkeypatch.chdir(request.getfixturevalue("tmp_path"))

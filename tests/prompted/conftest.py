"""Shared by the tests of the prompting baseline."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _straight_to_the_server(monkeypatch):
    """A proxy that this machine may use is none of the tests' business."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

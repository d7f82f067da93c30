"""One tiny pretrained encoder for all runs."""

from __future__ import annotations

import pytest

from tests.toy import save_backbone


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> str:
    return save_backbone(tmp_path_factory.mktemp("backbone") / "bert")

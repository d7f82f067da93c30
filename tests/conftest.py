"""Settings for the whole suite: nothing is fetched, and in CI the same examples are drawn every time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from benchmarks.browser import NO_BROWSER, find_chromium

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

# Before any test imports transformers: a model that is not bundled must fail at once, not look for a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Before torch: processes that each take all cores wait for each other most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_report_header() -> str:
    return f"browser: {find_chromium() or NO_BROWSER}"


@pytest.fixture(scope="session")
def tiny_models() -> dict[str, ConceptModel]:
    """Architecture → tiny random SparseCBM (see `tests.tiny`); models are read-only."""
    from tests.tiny import ARCHITECTURES, make_tiny

    return {arch: make_tiny(arch) for arch in ARCHITECTURES}


@pytest.fixture(scope="session")
def tiny_model(tiny_models: dict[str, ConceptModel]) -> ConceptModel:
    """The tiny BERT, where the architecture does not matter."""
    return tiny_models["bert"]


@pytest.fixture(scope="session")
def honest_model() -> ConceptModel:
    """The same with the honest head: its concepts, and the rest."""
    from tests.tiny import make_tiny

    return make_tiny("bert", head="honest")

"""What the examples in docstrings have at hand: a small random model, reviews, and a folder of data files."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

# Alembic runs these with a context of its own.
collect_ignore = ["sparsecbm_core/ledger/migrations"]


@pytest.fixture(scope="session")
def example_names() -> dict[str, Any]:
    """A ``model`` and a ``dense`` one, ``reviews``, ``why`` a text is read as it is, and a correction."""
    from sparsecbm_core.explain.explainer import explain
    from sparsecbm_core.intervene.correct import intervene
    from tests.tiny import make_tiny
    from tests.toy import toy_reviews

    model, text = make_tiny("bert"), "The soup was cold."
    return {
        "model": model,
        "dense": make_tiny("bert", density=None),
        "reviews": toy_reviews(8),
        "why": explain(model, text, None),
        "done": intervene(model, text, "food", "Positive", rule="signed"),
    }


@pytest.fixture(scope="session")
def example_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS
    from tests.toy import write_cebab

    folder = tmp_path_factory.mktemp("examples")
    write_cebab(folder / "cebab", dev=4)
    (folder / "imdb").mkdir()
    films = [["review", "sentiment", *IMDB_ALL_CONCEPTS], ["A great film.", "Positive"] + ["unknown"] * 8]
    meals = [
        ["review", "stars", "food", "service"],
        ["The soup was cold.", 1, "Negative", ""],
        ["A great cook.", 5, "Positive", ""],
    ]
    for name, rows in {"imdb/IMDB-dev-manual.csv": films, "reviews.csv": meals}.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(autouse=True)
def _examples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(request.node, pytest.DoctestItem):
        return
    folder = request.getfixturevalue("tmp_path")
    shutil.copytree(request.getfixturevalue("example_files"), folder, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SPARSECBM_LEDGER", "corrections.sqlite3")
    request.getfixturevalue("doctest_namespace").update(request.getfixturevalue("example_names"))

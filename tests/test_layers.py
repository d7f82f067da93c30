"""Imports go one way: downward in the list of CONTRIBUTING.md, and never to streamlit."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import sparsecbm_core

# From the top. A part imports from those below it and from itself.
LAYERS = (
    "cli",
    "experiments",
    "figures",
    "ledger",
    "training",
    "prompted",
    "evaluate",
    "intervene",
    "explain",
    "pruning",
    "models",
    "data",
    "config",
    "concepts",
    "progress",
    "files",
    "typing",
    "errors",
)
CORE = Path(sparsecbm_core.__file__).parent
ROOT = CORE.parent
# The package's own face and its command, above all.
FACES = ("__init__", "__main__")
MODULES = sorted(CORE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere, also inside functions and for type checkers."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def layer(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def upward(path: Path) -> list[str]:
    """Imports of layers above the file's own."""
    own = layer(path)
    if own in FACES:
        return []
    below = LAYERS[LAYERS.index(own) :]
    return [
        name
        for name in imports(path)
        if name.startswith("sparsecbm_core.") and name.split(".")[1] not in below
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE)))
def test_imports_go_downward(path):
    assert upward(path) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_knows_nothing_of_the_app(path):
    tops = {name.split(".")[0] for name in imports(path)}
    assert not tops & {"streamlit", "ui", "pages", "app", "tests", "benchmarks"}


def test_every_part_has_its_place():
    assert {layer(path) for path in MODULES} == {*LAYERS, *FACES}


def test_an_upward_import_is_found(tmp_path, monkeypatch):
    """Also one that is made inside a function."""
    monkeypatch.setitem(globals(), "CORE", tmp_path)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "new.py"
    path.write_text("import json\ndef f():\n    from sparsecbm_core.models.masks import MaskSet\n")
    assert upward(path) == ["sparsecbm_core.models.masks.MaskSet"]
    path.write_text("from sparsecbm_core.data.types import Example\nfrom sparsecbm_core import errors\n")
    assert upward(path) == []


def test_the_list_is_the_one_that_contributors_read():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = [
        text.index(f" {name}") for name in ("ui/", *(f"{name}/" for name in LAYERS[: LAYERS.index("config")]))
    ]
    assert places == sorted(places)

"""The house: which room may import which, and that nobody walks in circles.

Imports are read from the source, also those inside functions and those for type checkers alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# From the top. A room imports from those below it and from itself.
CORE = (
    "cli",
    "experiments",
    "figures",
    "ledger",
    "training",
    "prompted",
    "evaluate",
    "session",
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
    "verbs",
    "errors",
    "version",
)
PAGES = ("explain", "correct", "masks", "three_views", "corrections", "model_card")
UI = (*PAGES, "frame", "widgets", "state", "work", "resources", "text")
# On one floor: pages, which keep apart, and what is around and on all of them.
LEVEL = {**dict.fromkeys(PAGES, 0), **dict.fromkeys(("frame", "widgets"), 1)}
LONGEST = 300
# Where programs begin, and what others may take from the package.
DOORS = ("app", "sparsecbm_core", "sparsecbm_core.__main__", "sparsecbm_core.cli")


def files(*folders: str) -> list[Path]:
    """Source files of the product, or of the folders that are named."""
    chosen = folders or ("sparsecbm_core", "ui", "pages", "benchmarks")
    found = [path for folder in chosen for path in sorted((ROOT / folder).rglob("*.py"))]
    return found if folders else [ROOT / "app.py", *found]


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def named(path: Path) -> frozenset[str]:
    """Every name that a file imports, anywhere in it: "package.module.name"."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{'.' * node.level}{node.module or ''}.{name.name}" for name in node.names}
    return frozenset(found)


@cache
def graph() -> Mapping[str, frozenset[str]]:
    """Module → the modules of the product that it imports."""
    known = {module(path) for path in files()}

    def target(name: str) -> str | None:
        """The module that a name is, or lies in."""
        while name and name not in known:
            name = name.rpartition(".")[0]
        return name or None

    return {
        module(path): frozenset(found for name in named(path) if (found := target(name))) for path in files()
    }


def room(name: str, floors: tuple[str, ...]) -> int | None:
    """On which floor a module lies; None for a package's own face, which is above all."""
    own = name.split(".")[1:2]
    return floors.index(own[0]) if own and own[0] in floors else None


def circles(arrows: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Ways that come back to where they began, one for each module that lies on any."""
    done: set[str] = set()
    found: list[list[str]] = []

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            found.append([*way[way.index(name) :], name])
        elif name not in done:
            for other in sorted(arrows.get(name, ())):
                if other != name:
                    walk(other, [*way, name])
            done.add(name)

    for start in sorted(arrows):
        walk(start, [])
    return found


def test_circles_are_found_where_there_are_any() -> None:
    assert circles({"a": "b", "b": "c", "c": ""}) == []
    assert circles({"a": "b", "b": "c", "c": "b"}) == [["b", "c", "b"]]


def test_nothing_imports_in_circles() -> None:
    assert circles(graph()) == []


def test_the_core_imports_downwards() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in others
        if name.startswith("sparsecbm_core.") and (own := room(name, CORE)) is not None
        if not other.startswith("sparsecbm_core") or (room(other, CORE) or 0) < own
        if other != "sparsecbm_core"
    ]
    assert wrong == []


def test_pages_import_the_ui_and_the_ui_imports_downwards() -> None:
    def level(name: str) -> int:
        own = name.split(".")[1]
        return LEVEL.get(own, UI.index(own))

    wrong = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in others
        if name.startswith("ui.")
        if other.split(".")[0] in ("app", "pages") or (other.startswith("ui.") and level(other) < level(name))
    ]
    assert wrong == []


def test_pages_keep_apart() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in others
        if name.startswith("ui.") and other.startswith("ui.")
        if room(name, PAGES) is not None and room(other, PAGES) is not None
        if room(name, PAGES) != room(other, PAGES)
    ]
    assert wrong == []


def test_every_room_has_its_floor() -> None:
    rooms = {
        path.relative_to(ROOT / "sparsecbm_core").parts[0].removesuffix(".py")
        for path in files("sparsecbm_core")
    }
    assert rooms - {"__init__", "__main__"} == set(CORE)
    rooms = {path.relative_to(ROOT / "ui").parts[0].removesuffix(".py") for path in files("ui")}
    assert rooms - {"__init__"} == set(UI)


def test_the_core_knows_no_streamlit() -> None:
    wrong = [
        str(path)
        for path in files("sparsecbm_core")
        for name in named(path)
        if name.split(".")[0] == "streamlit"
    ]
    assert wrong == []


def test_every_module_is_used_by_the_product() -> None:
    used = {other for name, others in graph().items() for other in others if other != name}
    packages = {module(path) for path in files() if path.name == "__init__.py"}
    idle = {
        name
        for name in graph()
        if name.split(".")[0] in ("sparsecbm_core", "ui") and name not in (used | packages | set(DOORS))
    }
    assert {name for name in idle if ".migrations" not in name} == set()


def test_the_product_does_not_need_its_tests() -> None:
    wrong = [str(path) for path in files() for name in named(path) if name.split(".")[0] == "tests"]
    assert wrong == []


def test_imports_name_the_whole_way() -> None:
    wrong = [f"{path}: {name}" for path in files() for name in named(path) if name.startswith(".")]
    assert wrong == []


def test_a_file_can_be_read_at_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in files()
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert long == {}


def test_the_documents_name_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = [name for name in (*CORE, *UI) if not re.search(rf"\b{name}(/|\.py)?`", text)]
    assert missing == []

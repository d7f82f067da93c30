"""What the documents say is true: their figures, commands, options, examples and links."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer

from sparsecbm_core import __version__
from sparsecbm_core.cli.app import app
from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments.docs import BLOCK, results_page
from tests.tiny import make_tiny
from tests.toy import save_backbone, toy_reviews

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fenced(path: Path, language: str) -> list[str]:
    return [code for kind, code in FENCE.findall(read(path)) if kind == language]


def test_every_figure_is_what_the_files_say() -> None:
    filled = [path for path in DOCUMENTS if BLOCK.search(read(path))]
    assert [named(path) for path in filled] == ["README.md", "docs/models.md", "docs/results.md"]
    for path in filled:
        assert results_page(ROOT / "docs" / "results", path) == read(path), f"{path.name}: run make docs"


def test_a_figure_that_was_typed_over_is_made_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "found.json").write_text('{"share": 0.901, "change": -0.0038, "rows": [{"n": 1234}]}')
    template = "<!-- filled from .\n{found[share]:.1%}, {found[change]:+.2p}, {found[rows][0][n]:,}\n-->\n"
    page.write_text(f"before\n{template}typed 99.9\n<!-- end -->\nafter\n", encoding="utf-8")
    made = results_page(tmp_path, page)
    assert made == f"before\n{template}\n90.1 %, −0.38, 1,234\n\n<!-- end -->\nafter\n"
    page.write_text(made, encoding="utf-8")
    assert results_page(tmp_path, page) == made
    page.write_text(made.replace("share", "lost", 1), encoding="utf-8")
    with pytest.raises(InputError, match="no figure 'found\\[lost\\]'"):
        results_page(tmp_path, page)


def test_the_bundled_model_is_the_row_called_so() -> None:
    """And the dense models beside it are those that taught."""
    from sparsecbm_core.files import read_json

    results = ROOT / "benchmarks" / "results"
    runs = read_json(results / "sweep.json")["runs"]
    assert runs[15]["model"] == read_json(results / "dev.json")["model"]
    teachers = {name for run in runs for name in run["teachers"]}
    assert {run["model"] for run in runs if run["kind"] == "cbm"} <= teachers | {run["init"] for run in runs}


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Every command and its options; a group's own come with its name."""
    yield path, {option for item in command.params for option in (*item.opts, *item.secondary_opts)}
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))
GROUPS = {path[:-1] for path in COMMANDS if path}


def lines(path: Path) -> list[list[str]]:
    """The words of every command of ours in a document's examples."""
    code = "\n".join(fenced(path, "sh")).replace("\\\n", " ")
    found = (
        re.match(r"(?:python -m sparsecbm_core|sparsecbm) (.+)", line.strip()) for line in code.split("\n")
    )
    return [shlex.split(match[1], comments=True) for match in found if match]


def called(words: list[str]) -> tuple[str, ...]:
    path: tuple[str, ...] = ()
    for word in words:
        if (*path, word) not in COMMANDS:
            break
        path = (*path, word)
    return path


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_command_and_option_exists(path: Path) -> None:
    for words in lines(path):
        command = called(words)
        assert command not in GROUPS, f"no such command: {shlex.join(words)}"
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in COMMANDS[command] | {"--help"}, shlex.join(words)
    known = set().union(*COMMANDS.values(), {"--help"})
    spoken = {word for code in re.findall(r"`([^`\n]+)`", FENCE.sub("", read(path))) for word in code.split()}
    ours = {word.split("=")[0].rstrip(",") for word in spoken if re.match(r"--[a-z]", word)}
    elsewhere = {"--editable", "--strict", "--server.fileWatcherType"}  # of pip, mkdocs, streamlit
    assert ours - known - elsewhere == set()


def test_every_command_has_an_example() -> None:
    shown = {called(words) for words in lines(ROOT / "docs" / "command-line.md")}
    assert set(COMMANDS) - GROUPS - shown == set()


def write_reviews(path: Path, count: int, seed: int) -> None:
    data = toy_reviews(count, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(["text", "stars", *data.space.concepts])
        for item in data:
            states = [data.space.states[state] for state in item.concepts]
            rows.writerow([item.text, data.space.labels[item.label], *states])


def test_the_examples_in_python_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other as they stand, where a tiny model and toy reviews have the bundled ones' places."""
    from sparsecbm_core.intervene.guard_files import SHIPPED, save_profile
    from sparsecbm_core.intervene.profile import compute_profile

    folder, guard = Path("assets/models/cebab-minilm"), toy_reviews(8)
    monkeypatch.chdir(tmp_path)
    model = make_tiny("bert")
    model.save_pretrained(folder)
    profile = compute_profile(model, guard.texts, guard.fingerprint())
    (folder / SHIPPED).mkdir()
    save_profile(profile, folder / SHIPPED / f"{model.fingerprint}-{guard.fingerprint()}.safetensors")
    save_backbone(Path("encoder"))
    write_reviews(Path("assets/reviews/guard.csv"), 12, 0)
    write_reviews(Path("reviews/train.csv"), 24, 1)
    write_reviews(Path("reviews/dev.csv"), 12, 2)
    names: dict[str, Any] = {}
    for code in fenced(ROOT / "docs" / "python.md", "python"):
        exec(compile(code, "python.md", "exec"), names)
    assert Path("runs/own/model/config.json").is_file()


def anchors(path: Path) -> set[str]:
    """Of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", read(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", read(path))
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", text):
        target, _, anchor = unquote("".join(link)).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = path.parent / target if target else path
        assert file.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{path.name}: {target}#{anchor}"


@pytest.mark.parametrize(("name", "limit"), [("README.md", 8_000), ("CONTRIBUTING.md", 4_000)])
def test_what_is_read_first_is_short(name: str, limit: int) -> None:
    assert len((ROOT / name).read_bytes()) <= limit


def test_the_changelog_ends_unreleased_and_at_this_version() -> None:
    releases = re.findall(
        r"^## \[(.+?)\](?: - \d{4}-\d{2}-\d{2})?$", read(ROOT / "CHANGELOG.md"), re.MULTILINE
    )
    assert releases[:2] == ["Unreleased", __version__]

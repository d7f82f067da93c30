"""The results page is made of the result files alone, and the committed one is what they make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparsecbm_core.errors import CheckpointError, InputError
from sparsecbm_core.experiments import docs, pages, runner
from sparsecbm_core.experiments.docs import results_page
from sparsecbm_core.experiments.published import TABLE1, TABLE2, published_row
from sparsecbm_core.experiments.registry import EXPERIMENTS
from sparsecbm_core.experiments.runner import run_experiment
from tests.experiments.made import Bench, Options, toy_experiment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A folder of results, as ``docs/results`` is one."""
    monkeypatch.setattr(docs, "EXPERIMENTS", {**EXPERIMENTS, "table1": toy_experiment()})
    folder = tmp_path / "docs" / "results"
    run_experiment(toy_experiment(), Bench(), Options(), folder)
    return folder


def test_the_page_has_tables_figures_and_where_they_are_from(made):
    values = json.loads((made / "table1.json").read_text(encoding="utf-8"))
    values["figures"] = ["table1.html", "table1.png"]
    (made / "table1.json").write_text(json.dumps(values), encoding="utf-8")
    page = results_page(made, made.parent / "results.md")
    assert "## A toy\n\nIt multiplies." in page
    assert "| dose | value \\| spread |\n| --- | --- |\n| 1 | 10.0 |\n| 2 | 20.0 |" in page
    assert "table1.html" not in page  # the picture stands for it
    assert "![A toy](results/table1.png)" in page
    assert (
        "\nData: toy dev (4 reviews, `ffffffffffffffff`); seed 0; 3 parts, less than a minute of work; "
        in page
    )
    assert "Not finished" not in page
    assert results_page(made, made.parent / "results.md") == page
    assert "(table1.png)" in results_page(made, made / "page.md")
    (made / "table1.json").write_text(json.dumps({**values, "figures": ["table1.html"]}), encoding="utf-8")
    assert "(results/table1.html)" in results_page(made, made.parent / "results.md")


def test_the_page_says_by_which_commands_and_how_long_models_were_trained(made):
    values = json.loads((made / "table1.json").read_text(encoding="utf-8"))
    values["commands"] = ["sparsecbm reproduce table1 --data DIR", "sparsecbm reproduce table1 --seeds 1"]
    values["settings"] |= {"model": "mine", "fingerprint": "a" * 16, "max_length": 64, "dense_epochs": None}
    values["parts"][0]["settings"] |= {"sparse_epochs": 5, "start.dense_epochs": 7}
    values["parts"][1]["settings"] |= {"sparse_epochs": 3}
    (made / "table1.json").write_text(json.dumps(values), encoding="utf-8")
    page = results_page(made, made.parent / "results.md")
    assert "\nBy `sparsecbm reproduce table1 --data DIR` and `sparsecbm reproduce table1 --seeds 1`; " in page
    assert f"; model mine (`{'a' * 16}`); 7 dense epochs; 3 or 5 sparse epochs; up to 64 tokens; " in page
    assert "; 3 parts, less than a minute of work (models that were there before not counted); " in page


def test_what_is_not_finished_says_so(made):
    values = json.loads((made / "table1.json").read_text(encoding="utf-8"))
    (made / "table1.json").write_text(json.dumps({**values, "complete": False}), encoding="utf-8")
    assert "Not finished" in results_page(made, made.parent / "results.md")


def test_files_of_other_kinds_are_left_out_and_damaged_ones_said(made):
    page = results_page(made, made.parent / "results.md")
    (made / "other.json").write_text('{"rules": {}}', encoding="utf-8")
    assert results_page(made, made.parent / "results.md") == page
    (made / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"broken\.json"):
        results_page(made, made.parent / "results.md")


def test_without_results_there_is_no_page(tmp_path):
    with pytest.raises(InputError, match="holds no results"):
        results_page(tmp_path, tmp_path / "results.md")


def test_the_command_writes_the_page(reproduce, data, tmp_path):
    assert reproduce("table1", "--data", data, "--splits", "train,dev", "--out", tmp_path)[0] == 0
    output = tmp_path / "new" / "results.md"
    code, _, err = reproduce("docs", "--results", tmp_path, "--output", output)
    assert (code, err) == (0, [f"wrote {output}"])
    assert output.read_text(encoding="utf-8") == results_page(tmp_path, output)
    assert "food, published | 1,693 (33 %) | 2,087 (41 %) | 1,333 (26 %)" in output.read_text(
        encoding="utf-8"
    )


def test_the_committed_page_is_what_the_committed_results_make():
    results, page = ROOT / "docs" / "results", ROOT / "docs" / "results.md"
    assert page.is_file() == any(results.glob("*.json"))
    if page.is_file():
        assert page.read_text(encoding="utf-8") == results_page(results, page)


def test_published_figures_are_those_of_the_paper():
    assert {name: len(rows) for name, rows in TABLE2.items()} == {"cebab": 19, "imdb": 19}
    row = published_row("cebab", "distilbert/distilbert-base-uncased", "SparseCBM")
    assert row is not None
    assert (row.concept, row.task) == ((82.0, 84.0), (64.7, 77.1))
    best = published_row("imdb", "facebook/opt-1.3b", "SparseCBM")
    assert best is not None
    assert best.task == (86.6, 83.9)
    assert published_row("imdb", "bert-base-uncased", "CBM").task is None  # not to be read in the paper
    assert published_row("cebab", "sentence-transformers/all-MiniLM-L6-v2", "CBM") is None
    for counts in TABLE1.values():  # each concept's states make up the same number of rows
        totals = {sum(count for count, _ in states.values()) for states in counts.states.values()}
        assert len(totals) == 1


def test_a_png_comes_only_with_kaleido_and_says_why_not(tmp_path, monkeypatch):
    import plotly.graph_objects as go

    said: list[str] = []
    monkeypatch.setattr(pages.importlib.util, "find_spec", lambda name: None)
    assert not pages._write_png(go.Figure(), tmp_path / "x.png", said.append)
    assert said == [
        "no PNG: kaleido is not installed (pip install kaleido; it needs Chrome or Chromium as well)"
    ]

    def fail(self, *arguments, **values):
        raise RuntimeError("no\nbrowser")

    monkeypatch.setattr(pages.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(go.Figure, "write_image", fail)
    assert not pages._write_png(go.Figure(), tmp_path / "x.png", said.append)
    assert said[-1] == "no PNG: no browser"
    assert runner.write_figures is pages.write_figures

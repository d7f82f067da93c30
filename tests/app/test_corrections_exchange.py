"""Corrections as files on their page, and the accuracy along their chain."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparsecbm_core.ledger import Ledger
from sparsecbm_core.models.concept_model import ConceptModel
from tests.app.conftest import Start, chart, html, said
from tests.app.kept import (
    PAGE,
    a_patch,
    kept_numbers,
    opened,
    press,
    rows,
    upload,
    zipped,
)
from ui.text import plain

REVIEW = "The soup was cold <b>and</b> we loved it."


def test_one_is_saved_as_a_patch_and_all_as_a_zip_that_can_be_brought_in(
    start: Start, tiny_model: ConceptModel, ledger: Ledger, ledger_file: Path
) -> None:
    from ui.corrections.files import archive, unpacked

    ledger.add(a_patch(tiny_model, 0, note="one"), text=REVIEW)
    ledger.add(a_patch(tiny_model, 1, note="two"))
    app = opened(start(page=PAGE), "kept-1")
    assert {item.label for item in app.get("download_button")} >= {
        "Save as a patch file",
        "Save all as a zip",
    }
    content = archive(ledger, ledger.list())
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        listing = json.loads(bundle.read("corrections.json"))
        assert [row["note"] for row in listing["corrections"]] == ["one", "two"]
        assert {row["file"] for row in listing["corrections"]} < set(bundle.namelist())
    ledger.close()
    ledger_file.unlink()
    found = Ledger.open(ledger_file).import_([item for _, item in unpacked("all.zip", content)])
    assert [(item.note, item.text) for item in found.added] == [("one", REVIEW), ("two", None)]


def test_patches_are_imported_and_those_known_are_named(
    start: Start, tiny_model: ConceptModel, ledger: Ledger
) -> None:
    known, new = a_patch(tiny_model, 0), a_patch(tiny_model, 1, note="from elsewhere")
    ledger.add(known)
    app = upload(start(page=PAGE), ("a.safetensors", known.to_bytes()), ("b.safetensors", new.to_bytes()))
    assert said(app) == "1 correction added. Correction 1 was here already."
    assert len(rows(app)) == 2
    assert kept_numbers(app) == []


@pytest.mark.parametrize(
    ("name", "broken", "reason"),
    [
        ("b.safetensors", lambda patch: b"nothing", "b.safetensors is damaged, or no patch file"),
        (
            "b.safetensors",
            lambda patch: replace(patch, model="0" * 16).to_bytes(),
            "b.safetensors: the patch was made for model 0000000000000000",
        ),
        ("b.zip", lambda patch: b"PK\x03\x04", "b.zip is damaged, or no zip archive"),
        ("b.zip", lambda patch: zipped({"readme.txt": b"-"}), "b.zip holds no patch files"),
        (
            "b.zip",
            lambda patch: zipped({"x/c.safetensors": patch.to_bytes()[:-9]}),
            "c.safetensors is damaged, or no patch file",
        ),
    ],
)
def test_what_is_no_patch_of_this_model_is_refused_and_nothing_is_added(
    start: Start, tiny_model: ConceptModel, ledger: Ledger, name: str, broken: Any, reason: str
) -> None:
    good = a_patch(tiny_model, 0)
    app = upload(start(page=PAGE), ("a.safetensors", good.to_bytes()), (name, broken(good)))
    (problem,) = app.error
    assert problem.value.startswith(plain(f"Nothing was imported. {reason}"))
    assert said(app) == ""
    assert ledger.list() == ()
    assert not app.exception


def test_the_chain_is_measured_on_the_guard_reviews_and_not_twice(
    start: Start, tiny_model: ConceptModel, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        ledger.add(a_patch(tiny_model, seed))
    app = start(page=PAGE)
    assert "2 corrections, kept and active, in" in html(app, "kept and active")
    app.button(key="measure").click().run()
    assert not app.exception
    figure: Any = chart(app, "chain")
    assert [trace["name"].split(",")[0] for trace in figure["data"]] == [
        "Label",
        "All concepts",
        "food",
        "service",
    ]
    assert "On 12 guard reviews, after 2 corrections: labels" in html(app, "12 guard reviews, after")
    table = html(app, ">All concepts</th>")
    assert table.count("<tr>") == 4
    # The session's own chain is the same one: nothing is read again.
    monkeypatch.setattr("sparsecbm_core.evaluate.chain.read_under", None)
    app.button(key="use_all").click().run()
    assert "2 corrections of this session." in html(app, "of this session.")
    assert chart(app, "chain")
    # Without the second one the chain is another, of which all was read before.
    app.button(key="undo").click().run()
    press(app, "kept-1", "use-1")
    app.button(key="measure").click().run()
    assert not app.exception
    assert "after 1 correction:" in html(app, "after 1 correction:")


def test_whoever_does_something_else_stops_the_measuring_and_can_go_on(
    start: Start, tiny_model: ConceptModel, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    import streamlit as st

    from sparsecbm_core.evaluate.chain import read_under

    asked = []

    def interrupted(*values: Any) -> Any:
        """As Streamlit ends a run that another one follows."""
        asked.append(values)
        if len(asked) == 3:
            st.stop()
        return read_under(*values)

    for seed in range(10, 14):
        ledger.add(a_patch(tiny_model, seed))
    app = start(page=PAGE)
    monkeypatch.setattr("sparsecbm_core.evaluate.chain.read_under", interrupted)
    app.button(key="measure").click().run()
    app.run()
    assert app.button(key="measure").label == "Go on"
    assert html(app, "2 of 4 measured so far.")
    assert "after 2 corrections:" in html(app, "guard reviews, after")
    app.button(key="measure").click().run()
    assert len(asked) == 3 + 2
    assert "after 4 corrections:" in html(app, "guard reviews, after")
    assert not any(button.key == "measure" for button in app.button)

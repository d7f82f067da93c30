"""The model card: its figures, what they were measured on, and what is said where there is none."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from sparsecbm_core.version import __version__
from tests.app.conftest import CARD, EXPLAIN, METRICS, TRAINING, Start, chart, html
from tests.tiny import make_tiny
from ui.model_card.facts import origins, setting_rows, versions, weak_results
from ui.model_card.metrics import leakage_sentence, measured_on
from ui.resources.known import model_title
from ui.resources.models import ModelCard, card


def with_metrics(model_folder: Path, folder: Path, metrics: dict[str, Any], **training: Any) -> Path:
    shutil.copytree(model_folder, folder)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "training": training}))
    return folder


def test_the_card_names_data_and_split_of_its_figures(start: Start) -> None:
    app = start(page=CARD)
    assert "CEBaB, development data, 1,673 reviews" in html(app, "All figures")
    tiles = html(app, 'class="sc-tiles"')
    assert re.findall(r"<b>([\d.]+) %", tiles) == ["87.6", "70.0", "81.6", "65.0", "10.0"]
    lead = unescape(html(app, "Of 100 labels"))
    assert (
        "Of 100 labels, 51 can be read from the concepts' states alone. The model gets 70: 19 more." in lead
    )
    assert "train_inclusive, 9,848 reviews" in html(app, "train_inclusive, ")
    app.segmented_control(key="split_choice").set_value("guard").run()
    assert not app.exception
    assert "guard reviews, 243 reviews" in html(app, "All figures")
    assert "CEBaB" not in html(app, "All figures")


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"dev": {}},
        {"dev": None},
        {"dev": dict.fromkeys(METRICS["dev"])},
        {"odd": {"per_concept": {"food": {}}}},
    ],
)
def test_the_card_copes_with_what_was_not_measured(
    start: Start, model_folder: Path, tmp_path: Path, metrics: dict[str, Any]
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "bare")
    (folder / "metrics.json").write_text(json.dumps(metrics))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "training": {}}))
    app = start(folder=folder, page=CARD)
    assert not app.exception
    assert not app.error


def test_the_card_names_encoder_data_licences_and_fingerprint(start: Start) -> None:
    app = start(page=CARD)
    facts = next(part.value for part in app.markdown if "Encoder" in part.value).replace("\\", "")
    assert "[all-MiniLM-L6-v2 (sentence-transformers)](https://huggingface.co/" in facts
    assert "Apache License 2.0" in facts
    assert "[CEBaB (Abraham et al., 2022)](https://cebabing.github.io/CEBaB/), CC BY 4.0" in facts
    assert f"`{make_tiny('bert').fingerprint}`" in facts


def test_the_card_and_the_explain_page_give_one_figure_for_chance(start: Start) -> None:
    app = start(page=CARD)
    on_card, caption = chart(app, "overlap"), html(app, "on average. Random subnetworks")
    app.switch_page(EXPLAIN).run()
    assert chart(app, "overlap")["data"] == on_card["data"]
    assert html(app, "on average. Random subnetworks") == caption


def test_when_not_to_trust_it_starts_with_the_model_s_own_weak_results(start: Start) -> None:
    app = start(page=CARD)
    first = next(part.value for part in app.markdown if part.value.startswith("- ")).splitlines()[0]
    first = first.replace("\\", "")
    assert "On the 243 guard reviews it gets 51.2 % of the labels right." in first
    assert "On data like that it was trained on it gets 70.0 % of the labels." in first
    assert "with the help of a language model" in first


def test_weak_results_are_those_of_the_model_at_hand() -> None:
    guard = {"task_accuracy": 0.25, "concept_accuracy": 0.5, "ece": 0.1, "examples": 8}
    (line,) = weak_results({"guard": guard})
    assert "the 8 guard reviews it gets 25.0 % of the labels and 50.0 % of the concepts" in line.text
    assert "10.0 %" in line.text
    assert weak_results({"dev": guard}) == weak_results({"guard": {}}) == []


def test_what_the_states_leave_over_is_the_difference_of_the_numbers_shown() -> None:
    # 0.7251 − 0.494 = 0.2311 would be 23, but the reader sees 73 and 49.
    assert "50 can be read" in leakage_sentence(0.4979, 0.7227)
    assert "gets 72: 22 more" in leakage_sentence(0.4979, 0.7227)
    assert "gets 73: 24 more" in leakage_sentence(0.494, 0.7251)
    assert "nothing that the states do not show" in leakage_sentence(0.7, 0.7)
    assert "gets 61, 3 fewer: the shades" in leakage_sentence(0.6417, 0.6083)


def test_settings_that_decided_nothing_are_not_printed(model_folder: Path) -> None:
    def names(**training: Any) -> set[str]:
        info = ModelCard(model_folder, (), "sparse", make_tiny("bert").space, training, {})
        return {row["setting"] for row in setting_rows(info)}

    assert {"dense epochs", "sparse epochs", "backbone", "subnetworks: sparsity"} <= names(**TRAINING)
    assert "dropout" not in names(**TRAINING)
    later = names(**TRAINING, init="c077bf607551fa35")
    assert {"sparse epochs", "init"} <= later
    assert not {"dense epochs", "backbone", "encoder lr"} & later
    info = ModelCard(model_folder, (), "sparse", make_tiny("bert").space, {"init": {"fingerprint": "c0"}}, {})
    assert setting_rows(info) == [{"setting": "init", "value": "c0"}]


def test_each_data_set_that_a_model_learned_from_is_named_with_its_licence(model_folder: Path) -> None:
    training = {**TRAINING, "data": "CEBaB and train-restaurants and mine"}
    info = ModelCard(model_folder, (), "sparse", make_tiny("bert").space, training, {})
    _, cebab, ours, other = [(heading, known and known.licence) for heading, known, _ in origins(info)]
    assert cebab == ("Trained on", "CC BY 4.0")
    assert ours == ("and on", "Apache License 2.0")
    assert other == ("and on", None)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"examples": 9}, "CEBaB, development data, 9 reviews"),
        ({"data": "IMDB-C"}, "IMDB-C, development data"),
        (
            {"data": {"name": "mine", "split": "half", "fingerprint": "ab12"}, "examples": 1},
            "mine, development data, split half, 1 review",
        ),
    ],
)
def test_a_report_s_own_word_on_its_data_comes_first(report: dict[str, Any], expected: str) -> None:
    assert measured_on("dev", report, {"data": "CEBaB"})[0] == expected


@pytest.mark.parametrize(("named", "warned"), [(None, False), ("this", False), ("0" * 16, True)])
def test_a_report_on_another_model_is_named(
    start: Start, model_folder: Path, tmp_path: Path, named: str | None, warned: bool
) -> None:
    fingerprint = make_tiny("bert").fingerprint if named == "this" else named
    metrics = {"dev": {**METRICS["dev"], **({"model": fingerprint} if fingerprint else {})}}
    app = start(folder=with_metrics(model_folder, tmp_path / "model", metrics, **TRAINING), page=CARD)
    assert [("Development data" in part.value) for part in app.warning] == ([True] if warned else [])


def test_a_model_of_unknown_make_goes_by_its_folder_s_name() -> None:
    assert model_title("mine", {"data": "CEBaB"}) == "mine"
    assert model_title("mine", {"data": "CEBaB", "settings": {"backbone": "/x/all-MiniLM-L6-v2/"}}) == (
        "Restaurants (MiniLM)"
    )


def test_the_version_is_the_package_s_own_and_another_one_s_is_named(model_folder: Path) -> None:
    own = card(model_folder)
    assert versions(own) == versions(replace(own, version=None)) == f"version {__version__}"
    assert "written by version 9.9" in versions(replace(own, version="9.9"))

"""The model card with an evaluation beside the model: what it shows, and which files it leaves alone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS, ConceptSpace, imdb_space
from sparsecbm_core.evaluate.trust.file import save_report
from tests.app.conftest import CARD, METRICS, TRAINING, Start, chart, html
from tests.app.test_card import with_metrics
from tests.reports import made_report
from tests.tiny import SPACE, make_tiny
from ui.model_card import accuracy, changes, hand, swaps, words
from ui.model_card.offline_page import card_html
from ui.model_card.sections import sections
from ui.resources.models import ModelCard

CHARTS = (
    "intervals",
    "leakage",
    "corrections-by-hand",
    "reliability-gap",
    "swapped",
    "removed",
    "word-scores",
    "effects",
    "corrections",
    "correction-chain",
)
Evaluated = Callable[..., Path]


@pytest.fixture
def evaluated(model_folder: Path, tmp_path: Path) -> Evaluated:
    """The tiny model's folder with an evaluation; ``change`` gets the report before it is written."""

    def make(split: str = "dev", change: Callable[[Any], Any] = lambda report: report) -> Path:
        folder = Path(shutil.copytree(model_folder, tmp_path / "evaluated"))
        report = made_report(make_tiny("bert").fingerprint, SPACE, split)
        save_report(change(report), folder / "evaluation.json")
        return folder

    return make


def titles(app: AppTest) -> list[str]:
    return [part.value.replace("\\", "") for part in app.header]


def listed(app: AppTest) -> str:
    """What the page says on when not to trust the model, as text."""
    return next(part.value for part in app.markdown if part.value.startswith("- ")).replace("\\", "")


def test_without_an_evaluation_the_card_is_that_of_the_metrics(start: Start) -> None:
    app = start(page=CARD)
    assert titles(app) == [
        "How good it is",
        "When not to trust it",
        "Accuracy",
        "Do the concepts explain the label?",
        "The subnetworks",
        "How it was trained",
        "Take it with you",
    ]
    assert chart(app, "per-concept")
    assert "Sarcasm and negation." in listed(app)
    assert not app.warning


def test_every_part_has_its_chart_and_the_numbers_it_was_measured_with(
    start: Start, evaluated: Evaluated
) -> None:
    app = start(folder=evaluated(), page=CARD)
    assert not app.exception
    assert not app.error
    assert not app.warning
    keys = [item.key for item in app.get("plotly_chart")]
    assert [f"chart-{name}" for name in CHARTS if f"chart-{name}" not in keys] == []
    assert "chart-per-concept" not in keys
    assert "toy, dev, 400 reviews, seed 0, measured in 2 s; 100 groups" in html(
        app, "groups of reviews drawn"
    )
    lead = unescape(html(app, "labels follow from the concepts alone"))
    assert "78 of 100 labels follow from the concepts alone. The model gets 80" in lead
    for name in CHARTS:
        assert next(item for item in app.get("plotly_chart") if item.key == f"chart-{name}").proto.alt
    assert len(app.get("download_button")) > len(CHARTS)


def test_tables_hold_the_numbers_of_the_charts(start: Start, evaluated: Evaluated) -> None:
    app = start(folder=evaluated(), page=CARD)
    table = html(app, ">Right low</th>")
    assert "<td>Label</td>" in table
    assert re.findall(r">([\d.]+ %)<", table)[:3] == ["80.0 %", "78.0 %", "82.0 %"]
    swapped: Any = chart(app, "swapped")
    assert [note["text"] for note in swapped["layout"]["annotations"]][:4] == ["90 %", "50 %", "50 %", "50 %"]
    assert "<td>service</td>" in html(app, ">Most frequent</th>")


def test_when_not_to_trust_it_follows_from_the_numbers(start: Start, evaluated: Evaluated) -> None:
    fine = start(folder=evaluated(), page=CARD)
    assert "Reviews unlike its training data." in listed(fine)  # of the metrics
    assert "Sarcasm" not in listed(fine)
    assert "True of every such model" in [part.label for part in fine.expander]


def test_a_missing_part_is_named_and_nothing_of_it_shown(start: Start, evaluated: Evaluated) -> None:
    app = start(folder=evaluated(change=lambda report: replace(report, effects=None)), page=CARD)
    assert "Nothing is known here of edited texts." in listed(app)
    assert not [item for item in app.get("plotly_chart") if item.key == "chart-effects"]


def test_another_split_s_own_metrics_are_shown_when_chosen(start: Start, evaluated: Evaluated) -> None:
    app = start(folder=evaluated(), page=CARD)
    app.segmented_control(key="split_choice").set_value("guard").run()
    assert not app.exception
    keys = [item.key for item in app.get("plotly_chart")]
    assert "chart-intervals" not in keys
    assert "chart-swapped" in keys


def test_a_model_without_metrics_shows_the_evaluation_s_own(
    start: Start, model_folder: Path, tmp_path: Path
) -> None:
    folder = with_metrics(model_folder, tmp_path / "model", {}, **TRAINING)
    save_report(made_report(make_tiny("bert").fingerprint, SPACE, "held out"), folder / "evaluation.json")
    app = start(folder=folder, page=CARD)
    assert not app.exception
    assert re.findall(r"<b>([\d.]+) %", html(app, 'class="sc-tiles"')) == ["90.0", "80.0", "85.0", "75.0"]
    assert chart(app, "intervals")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "evaluation.json is damaged"),
        ("[]", "holds list"),
        ('{"schema_version": 9}', "written by a newer version"),
        (
            json.dumps(made_report("0" * 16, SPACE).to_dict()),
            "it is of another model (fingerprint 0000000000000000)",
        ),
    ],
)
def test_a_file_that_is_damaged_or_another_s_is_ignored_with_a_line(
    start: Start, model_folder: Path, tmp_path: Path, content: str, message: str
) -> None:
    folder = Path(shutil.copytree(model_folder, tmp_path / "model"))
    (folder / "evaluation.json").write_text(content)
    app = start(folder=folder, page=CARD)
    assert not app.exception
    (warning,) = [part.value.replace("\\", "") for part in app.warning]
    assert message in warning
    assert "is not used" in warning
    assert chart(app, "per-concept")
    assert "chart-intervals" not in [item.key for item in app.get("plotly_chart")]


def test_a_report_on_other_concepts_is_ignored(start: Start, evaluated: Evaluated) -> None:
    folder = evaluated()
    config = json.loads((folder / "config.json").read_text())
    config["space"]["concepts"] = ["acting", "story", "sound"]
    (folder / "config.json").write_text(json.dumps(config))
    app = start(folder=folder, page=CARD)
    assert not app.exception
    assert "its concepts, states or labels are not this model's" in app.warning[0].value.replace("\\", "")


def film(folder: Path) -> tuple[ModelCard, Any]:
    """A model card of eight concepts and two labels, with a report."""
    space = imdb_space(IMDB_ALL_CONCEPTS)
    info = ModelCard(
        folder, (), "sparse", space, {"data": "films"}, {"guard": METRICS["guard"]}, title="<Films>"
    )
    return info, made_report("f" * 16, space)


def test_nothing_speaks_of_restaurants(tmp_path: Path) -> None:
    info, report = film(tmp_path)
    found = [*accuracy.accuracy(report, info.space)]
    said = [section.title for section in sections(report, info.space)]
    for section in sections(report, info.space):
        found += section.exhibits
        said += section.sentences
    text = json.dumps([dict(row) for exhibit in found for row in exhibit.rows]) + " ".join(said)
    assert not re.search("food|service|noise|ambiance|restaurant|star", text, re.IGNORECASE)
    assert "Emotional arousal" in text
    figure = next(exhibit.figure for exhibit in found if exhibit.name == "swapped")
    assert figure is not None
    assert len(figure.layout.annotations) == 64


def test_the_card_as_a_file_is_whole_escaped_and_asks_nobody(tmp_path: Path) -> None:
    info, report = film(tmp_path)
    page = card_html(info, report, "f" * 16)
    assert "&lt;Films&gt;" in page
    assert "<Films>" not in page
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert page.count('<svg role="img"') == len(CHARTS)
    assert "<h2>When not to trust it</h2>" in page
    assert "On the 243 guard reviews" in page
    assert "f" * 16 in page


def test_the_card_as_a_file_without_an_evaluation_says_what_the_page_says(model_folder: Path) -> None:
    info = ModelCard(model_folder, (), "sparse", SPACE, TRAINING, METRICS, title="tiny")
    page = card_html(info, None, "ab12")
    assert page.count('<svg role="img"') == 3  # each concept, what it uses, and leakage
    assert "Sarcasm and negation." in page
    bare = card_html(replace(info, metrics={}, training={}), None, "ab12")
    assert "This model comes without measurements." in bare


def test_odd_names_are_text(start: Start, evaluated: Evaluated) -> None:
    folder = evaluated()
    config = json.loads((folder / "config.json").read_text())
    config["space"]["titles"] = {"food": "<b>1.</b>", "service": "$5 $6", "noise": ":x:"}
    (folder / "config.json").write_text(json.dumps(config))
    app = start(folder=folder, page=CARD)
    assert not app.exception
    assert "&lt;b&gt;1.&lt;/b&gt;" in html(app, ">Right low</th>")


def test_a_single_concept_has_no_other_to_swap_with() -> None:
    space = ConceptSpace(("plot",), ("no", "yes"), ("bad", "good"))
    report = made_report("a" * 16, space)
    section = swaps.subnetworks(report, space)
    assert section is not None
    assert [exhibit.name for exhibit in section.exhibits] == ["swapped"]
    assert sections(report, space)


def test_parts_without_a_result_have_no_section() -> None:
    report = replace(
        made_report(), leakage=None, corrections=None, subnetworks=None, words={}, interventions=None
    )
    assert accuracy.leakage(report) is None
    assert hand.corrections(report) is None
    assert words.words(report) is None
    assert changes.changes(report) is None

"""A tiny random model in a folder, and the app started on it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.ledger import Ledger
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import make_tiny
from ui.frame import pages
from ui.resources import explanations

ROOT = Path(__file__).resolve().parents[2]
EXPLAIN, MASKS, CORRECTIONS = pages.EXPLAIN, pages.MASKS, pages.CORRECTIONS
THREE_VIEWS, CARD = pages.THREE_VIEWS, pages.MODEL_CARD
FIRST, SECOND = json.loads((ROOT / "assets/reviews/examples.json").read_text(encoding="utf-8"))["examples"][
    :2
]
Start = Callable[..., AppTest]
METRICS: dict[str, Any] = {
    "dev": {
        "concept_accuracy": 0.876,
        "concept_macro_f1": 0.816,
        "per_concept": {
            "food": {"accuracy": 0.857, "macro_f1": 0.855},
            "service": {"accuracy": 0.906, "macro_f1": 0.889},
            "noise": {"accuracy": 0.923, "macro_f1": 0.789},
        },
        "task_accuracy": 0.7,
        "task_macro_f1": 0.65,
        "paper_f1": {"concept": 0.87, "task": 0.72},
        "leakage": {"gold": 0.53, "hard": 0.51, "soft": 0.7},
        "ece": 0.1,
        "sparsity": {"food": 0.75, "service": 0.75, "noise": 0.75},
        "prunable_weights": 4096,
        "jaccard": {
            "mean": 0.2,
            "chance": 0.143,
            "pairs": {"food|service": 0.2, "food|noise": 0.19, "service|noise": 0.21},
        },
        "examples": 1673,
        "seconds": 8.5,
    },
    "guard": {"task_accuracy": 0.512, "concept_accuracy": None, "leakage": None, "examples": 243},
}
TRAINING: dict[str, Any] = {
    "data": "CEBaB",
    "train_split": "train_inclusive",
    "train_examples": 9848,
    "settings": {
        "kind": "sparse",
        "seed": 0,
        "backbone": "/somewhere/all-MiniLM-L6-v2",
        "dense_epochs": 7,
        "sparse_epochs": 5,
        "dropout": None,
        "prune": {"sparsity": 0.75},
    },
}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model = replace(make_tiny("bert"), metrics=METRICS, training=TRAINING)
    model.save_pretrained(folder)
    return folder


@cache
def dense() -> ConceptModel:
    return make_tiny("bert", density=None)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sparse model, and in its folder the dense one that it was cut from."""
    folder = tmp_path_factory.mktemp("models") / "pair"
    origin = {"fingerprint": dense().fingerprint}
    replace(make_tiny("bert"), training={**TRAINING, "init": origin}).save_pretrained(folder)
    dense().save_pretrained(folder / "dense")
    return folder


@pytest.fixture
def copy(pair: Path, tmp_path: Path) -> Path:
    """The same, to be spoiled."""
    return Path(shutil.copytree(pair, tmp_path / "pair"))


@pytest.fixture(scope="session")
def guard_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen labelled reviews for the tiny model, which knows four labels."""
    foods = ("soup", "meal", "service", "music")
    rows = [
        f"{'good' if i % 2 else 'slow'} {foods[i % 4]} {'and loud noise' if i % 3 else ''},{1 + i % 4},"
        f"{('Negative', 'Positive')[i % 2]},unknown,{'Negative' if i % 3 else 'unknown'}"
        for i in range(12)
    ]
    path = tmp_path_factory.mktemp("guard") / "guard.csv"
    path.write_text("\n".join(["text,stars,food,service,noise", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    return tmp_path / "ledger" / "corrections.sqlite3"


@pytest.fixture
def ledger(ledger_file: Path) -> Iterator[Ledger]:
    """The ledger that the app opens."""
    with Ledger.open(ledger_file) as opened:
        yield opened


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, model_folder: Path, guard_file: Path, ledger_file: Path) -> Start:
    """Starts the app as a new visitor sees it: ``start(concept="food")`` opens ``/?concept=food``."""

    def begin(folder: Path | str = model_folder, page: str | None = None, **parameters: str) -> AppTest:
        monkeypatch.setenv("SPARSECBM_MODEL", str(folder))
        monkeypatch.setenv("SPARSECBM_LEDGER", str(ledger_file))
        monkeypatch.setattr("ui.resources.guard_reviews.FOLDER", guard_file.parent)
        monkeypatch.setattr("ui.resources.models.MODELS", model_folder.parent / "none")
        monkeypatch.chdir(ROOT)
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        for name, value in parameters.items():
            app.query_params[name] = value
        app.run()
        return app.switch_page(page).run() if page else app

    return begin


def around_words(
    monkeypatch: pytest.MonkeyPatch,
    heard: Callable[[Callable[[float], None], str | None], Callable[[float], None]],
) -> Callable[[], None]:
    """Listen where the app has words scored: ``heard`` gets what is told of the progress, and the concept
    (None for all that are left), and returns what is told instead. Call what comes back to stop listening."""
    read_words = explanations.read_words

    def listening(
        model: Any, text: str, method: str, on_progress: Callable[[float], None], concept: str | None = None
    ) -> Any:
        return read_words(model, text, method, heard(on_progress, concept), concept)

    monkeypatch.setattr(explanations, "read_words", listening)
    return lambda: monkeypatch.setattr(explanations, "read_words", read_words)


def html(app: AppTest, mark: str) -> str:
    """The first of the page's own HTML parts that holds ``mark``; empty if there is none."""
    bodies = (part.proto.body for part in app.get("html"))
    return next((body for body in bodies if mark in body and not body.startswith("<style>")), "")


def pathway(app: AppTest) -> dict[str, object]:
    return next(data for data in _components(app) if "concepts" in data)


def said(app: AppTest) -> str:
    """What the page's statuses say to a screen reader, the answer's first."""
    return " ".join(str(data["text"]) for data in _components(app) if data.get("text"))


def _components(app: AppTest) -> list[dict[str, object]]:
    return [json.loads(part.proto.json) for part in app.get("bidi_component")]


def chart(app: AppTest, key: str) -> dict[str, object]:
    """A chart's figure as JSON."""
    found = next(item for item in app.get("plotly_chart") if item.key == f"chart-{key}")
    figure: dict[str, object] = json.loads(found.proto.spec)
    return figure


def sentence(app: AppTest) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html(app, 'class="sentence"').split("</p>")[0]))


def shown_review(app: AppTest) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html(app, 'class="review"')))


def explain(app: AppTest, text: str) -> AppTest:
    app.text_area(key="review").set_value(text)
    return app.button(key="explain").click().run()

"""The words of the concept that is looked at come first, and no file is saved with some of them missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from sparsecbm_core.explain import with_tokens
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.models.concept_model import ConceptModel
from tests.app.conftest import Start, around_words, explain, html, pathway
from ui.resources import explanations, models
from ui.widgets.pathway import WAITING

METHOD = "integrated_gradients"
WITH_WORDS = ("report.html", "explanation.json", "words.csv")
Asked = list[tuple[str, tuple[str, ...]]]


@pytest.fixture
def model(model_folder: Path) -> ConceptModel:
    return models.model(models.card(model_folder))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What is scored: text and concepts, in order."""
    seen: Asked = []

    def watched(
        model: ConceptModel,
        explanation: Explanation,
        method: str,
        *,
        concepts: Sequence[str] | None,
        **options: Any,
    ) -> Explanation:
        seen.append((explanation.text, explanation.unscored if concepts is None else tuple(concepts)))
        return with_tokens(model, explanation, method, concepts=concepts, **options)

    monkeypatch.setattr("sparsecbm_core.explain.with_tokens", watched)
    return seen


@pytest.fixture
def broken_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The page as it is before the other concepts are scored; to be called when that is over."""

    def stopped(on_progress: Callable[[float], None], concept: str | None) -> Callable[[float], None]:
        if concept is None:
            on_progress(0.25)
            st.stop()
        return on_progress

    return around_words(monkeypatch, stopped)


def buttons(app: AppTest) -> dict[str, bool]:
    """The files on the page, and whether each can be saved."""
    found = {}
    for button in app.get("download_button"):
        kind, _, name = str(button.key).partition("-")
        if name in (*WITH_WORDS, "contributions-all-labels.csv", "subnetworks.json"):
            assert name not in found
            found[name] = kind == "download" and not button.disabled
    return found


def test_the_concept_that_is_looked_at_is_scored_first(start: Start, asked: Asked) -> None:
    text = "The waiter was slow, the soup was cold, and the music too loud for me."
    app = explain(start(concept="noise"), text)
    assert not app.exception
    assert [names for about, names in asked if about == text] == [("noise",), ("food",), ("service",)]
    assert "sc-word" in html(app, 'class="review"') or pathway(app)["note"]
    assert buttons(app) == dict.fromkeys(
        (*WITH_WORDS, "contributions-all-labels.csv", "subnetworks.json"), True
    )
    assert not app.get("progress")
    asked.clear()
    app.segmented_control(key="concept_choice").set_value("food").run()
    assert asked == []


def test_a_quick_method_scores_all_at_once(start: Start, asked: Asked) -> None:
    text = "A slow waiter and cold soup, once more."
    app = start(method="gradient", concept="food")
    explain(app, text)
    assert [names for about, names in asked if about == text] == [("food", "service", "noise")]


def test_files_with_words_wait_until_every_concept_has_them(
    start: Start, asked: Asked, broken_off: Callable[[], None]
) -> None:
    text = "Cold soup, cold waiter, loud music; nothing that I would have liked."
    app = explain(start(concept="food"), text)
    assert not app.exception
    assert [names for about, names in asked if about == text] == [("food",)]
    waiting = {**dict.fromkeys(WITH_WORDS, False), "contributions-all-labels.csv": True}
    assert buttons(app) == {**waiting, "subnetworks.json": True}
    assert app.get("progress")
    # Another concept, before its words are there: it goes first, and what was scored is not scored again.
    app.segmented_control(key="concept_choice").set_value("noise").run()
    assert [names for about, names in asked if about == text] == [("food",), ("noise",)]
    assert WAITING not in str(pathway(app)["note"])
    broken_off()
    app.run()
    assert [names for about, names in asked if about == text] == [("food",), ("noise",), ("service",)]
    assert all(buttons(app).values())
    assert not app.get("progress")


def test_words_of_single_concepts_come_together(model: ConceptModel) -> None:
    text = "Loud music, good food; the service was what it was."
    shares: list[float] = []
    first = explanations.read_words(model, text, METHOD, shares.append, "service")
    assert first.unscored == ("food", "noise")
    assert shares[-1] == 1.0
    assert explanations.known_words(model, text, METHOD) is None
    assert explanations.known_words(model, text, METHOD, whole=False) == first
    assert explanations.read_words(model, text, METHOD, shares.append, "service") is first
    whole = explanations.read_words(model, text, METHOD)
    assert whole.unscored == ()
    assert whole.concepts["service"] == first.concepts["service"]
    assert explanations.known_words(model, text, METHOD) == whole
    fresh = with_tokens(model, explanations.read(model, text), METHOD, steps=explanations.STEPS)
    for name, item in whole.concepts.items():
        assert [token.score for token in item.tokens] == pytest.approx(
            [token.score for token in fresh.concepts[name].tokens], abs=1e-5
        )


def test_what_another_visitor_had_scored_meanwhile_is_kept(model: ConceptModel) -> None:
    text = "Two people read this review, at the same time, for two concepts."

    def meanwhile(share: float) -> None:
        if share == 1.0:
            explanations.read_words(model, text, METHOD, concept="noise")

    found = explanations.read_words(model, text, METHOD, meanwhile, "food")
    assert found.unscored == ("service",)


def test_what_is_broken_off_keeps_what_was_scored(model: ConceptModel) -> None:
    text = "Broken off in the midst of the second concept of three."

    def stop(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explanations.read_words(model, text, METHOD, stop)
    known = explanations.known_words(model, text, METHOD, whole=False)
    assert known is not None
    assert known.unscored == ("service", "noise")

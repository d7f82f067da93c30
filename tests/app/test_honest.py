"""The app with the honest head: what is not mentioned is no reason, and the rest can be corrected."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from sparsecbm_core.concepts import ConceptSpace
from tests.app.conftest import CARD, MASKS, THREE_VIEWS, Start, chart, explain, html, pathway, sentence
from tests.tiny import SPACE, make_tiny


@pytest.fixture(autouse=True)
def small_models_need_larger_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its rest has enough to say to move a random model's label."""
    model = make_tiny("bert", head="honest")
    with torch.no_grad():
        model.cbm.classifier_rest.fill_(20.0)
    folder = tmp_path_factory.mktemp("models") / "honest"
    model.save_pretrained(folder)
    return folder


def test_what_is_not_mentioned_is_no_reason(start: Start, honest: Path) -> None:
    app = start(honest)
    picture: Any = pathway(app)
    silent = [row for row in picture["concepts"] if row["state"].startswith("Not mentioned")]
    assert all((row["text"], row["side"]) == ("0.0", "neutral") for row in silent)
    assert not any(row["title"] in sentence(app) for row in silent)
    assert picture["rest"]["title"] == "Rest of the review"
    assert picture["base"]["title"] == "Nothing said"
    figure: Any = chart(app, "contributions")
    names = [re.sub("<[^>]*>", "", name) for name in figure["layout"]["yaxis"]["ticktext"]]
    assert {"Nothing said", "Rest of the review", "Expected"} <= set(names)
    assert "From what a review gets that says nothing" in html(app, 'class="answer"')
    assert list(app.segmented_control(key="view_choice").options) == ["The answer", "Score"]


def test_the_label_is_corrected_by_the_rest(start: Start, honest: Path) -> None:
    app = start(honest)
    app.selectbox(key="rule_choice").set_value("signed").run()
    app.number_input(key="confidence").set_value(0).run()
    labels = app.pills(key="state-rest")
    wanted = "4" if labels.value != "4" else "1"
    app.pills(key="state-rest").set_value(wanted).run()
    assert f"the label becomes {wanted}" in html(app, "sc-verdict")
    assert sentence(app).startswith(f"{wanted} (")
    assert app.pills(key="state-rest").value == wanted
    assert "Rest of the review" in html(app, "sc-beforeafter")


def test_the_rest_has_a_mask_to_look_at(start: Start, honest: Path) -> None:
    app = start(honest, MASKS)
    choice = app.segmented_control(key="mask_concept")
    assert "Rest of the review" in choice.options
    choice.set_value("rest").run()
    assert not app.exception


def test_the_card_and_a_text_without_words_work(start: Start, honest: Path) -> None:
    assert not start(honest, CARD).exception
    app = explain(start(honest), "…")
    assert not app.exception


def test_labels_without_an_order_are_explained_by_scores(
    start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    space = ConceptSpace(SPACE.concepts, SPACE.states, ("pub", "cafe", "bar", "inn"))
    folder = tmp_path_factory.mktemp("models") / "kinds"
    make_tiny("bert", space=space, head="honest").save_pretrained(folder)
    app = start(folder)
    assert not app.exception
    assert re.match(r"^(pub|cafe|bar|inn) \(.+ %\): .+\.$", sentence(app))
    picture: Any = pathway(app)
    assert picture["rest"]["text"][0] in "+−0"
    assert list(app.segmented_control(key="view_choice").options) == ["Score"]
    assert not start(folder, THREE_VIEWS).exception

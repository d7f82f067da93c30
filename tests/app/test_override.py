"""A concept set by hand while the model stays as it is, on the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import Start, chart, explain, html, pathway

Override = Callable[[], AppTest]


@pytest.fixture
def override(start: Start) -> Override:
    """The app with the rule that corrects nothing."""

    def begin() -> AppTest:
        return start().selectbox(key="rule_choice").set_value("override").run()

    return begin


def found(app: AppTest, concept: str = "food") -> str:
    """The state that the model found, by name."""
    picture: Any = pathway(app)
    row = next(row for row in picture["concepts"] if row["name"] == concept)
    title = next(state["title"] for state in row["states"] if state["on"])
    return str(title)


def test_every_concept_is_a_group_of_its_own_name_with_the_model_s_state_marked(override: Override) -> None:
    app = override()
    for concept in ("food", "service", "noise"):
        group = app.pills(key=f"hand-{concept}")
        assert group.label == concept
        assert group.value is None
        marked = [option for option in group.options if ":gray-badge[model" in option]
        assert [option.split(" :")[0] for option in marked] == [found(app, concept)]


def test_another_state_shows_before_and_after_and_can_be_undone(override: Override) -> None:
    app = override()
    picture: Any = pathway(app)
    other = next(name for name in ("Negative", "Positive") if name != found(app))
    assert not html(app, "the model itself is unchanged")
    app.pills(key="hand-food").set_value(other).run()
    assert not app.exception
    card = html(app, "sc-beforeafter")
    assert f"{other}, set by hand" in card
    assert "the model itself is unchanged" in card
    figure: Any = chart(app, "override")
    assert [trace["name"] for trace in figure["data"]] == ["Model", "With your change"]
    # The answer above and the model's own figures stay what they were.
    assert pathway(app) == picture
    app.button(key="undo").click().run()
    assert not html(app, "sc-beforeafter")
    assert app.pills(key="hand-food").value is None
    assert app.button(key="reset").disabled


def test_the_state_that_the_model_found_can_be_confirmed(override: Override) -> None:
    app = override()
    app.pills(key="hand-food").set_value(found(app)).run()
    assert f"{found(app)}, confirmed by hand" in html(app, "sc-beforeafter")


def test_reset_lets_the_model_decide_all_concepts_again(override: Override) -> None:
    app = override()
    for concept in ("food", "service"):
        app.pills(key=f"hand-{concept}").set_value("Positive").run()
    assert html(app, "sc-beforeafter")
    app.button(key="reset").click().run()
    assert not html(app, "sc-beforeafter")
    assert [app.pills(key=f"hand-{name}").value for name in ("food", "service")] == [None, None]


def test_pressing_the_choice_again_lets_the_model_decide_that_concept(override: Override) -> None:
    app = override()
    for concept in ("food", "service"):
        app.pills(key=f"hand-{concept}").set_value("Positive").run()
    app.pills(key="hand-food").set_value(None).run()
    card = html(app, "sc-beforeafter")
    assert "service" in card
    assert "food" not in card


def test_another_text_starts_without_overrides(override: Override) -> None:
    app = override()
    app.pills(key="hand-food").set_value("Negative").run()
    assert html(app, "sc-beforeafter")
    explain(app, "The waiter was slow.")
    assert not html(app, "sc-beforeafter")
    assert app.pills(key="hand-food").value is None

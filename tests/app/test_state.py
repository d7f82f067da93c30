"""What a session remembers, and what an address may change."""

from __future__ import annotations

import pytest

from ui.examples import Example
from ui.state import DEFAULT_METHOD, AppState

EXAMPLES = {name: Example(name, name.title(), f"text of {name}") for name in ("one", "two")}
CONCEPTS, METHODS = ("food", "service"), {DEFAULT_METHOD: 1, "occlusion": 2}


def applied(state: AppState, **parameters: str) -> AppState:
    state.apply(parameters, EXAMPLES, CONCEPTS, METHODS)
    return state


def test_a_fresh_start_shows_the_first_example() -> None:
    state = applied(AppState())
    assert (state.example, state.text) == ("one", "text of one")
    assert state.parameters() == {"example": "one"}


def test_an_address_is_followed() -> None:
    state = applied(AppState(), example="two", concept="service", method="occlusion")
    assert state.text == "text of two"
    assert state.parameters() == {"example": "two", "concept": "service", "method": "occlusion"}


@pytest.mark.parametrize("name", ["example", "concept", "method"])
def test_nonsense_in_an_address_is_ignored(name: str) -> None:
    assert applied(AppState(), **{name: "<script>"}).parameters() == {"example": "one"}


def test_a_text_of_ones_own_never_reaches_the_address() -> None:
    state = applied(AppState())
    state.show_text("my secret")
    assert state.parameters() == {}
    assert applied(state, concept="food").text == "my secret"


def test_overrides_undo_in_order_and_reset() -> None:
    state = applied(AppState())
    state.override("food", "Negative")
    state.override("service", "Positive")
    state.override("food", None)
    assert state.overrides == {"service": "Positive"}
    state.undo()
    assert state.overrides == {"food": "Negative", "service": "Positive"}
    state.undo()
    assert state.overrides == {"food": "Negative"}
    state.reset()
    assert (state.overrides, state.past) == ({}, [])
    state.undo()
    assert state.overrides == {}


def test_setting_what_is_set_already_is_no_step() -> None:
    state = applied(AppState())
    state.override("food", None)
    assert state.past == []


def test_another_text_drops_what_was_set_by_hand() -> None:
    state = applied(AppState())
    state.override("food", "Negative")
    state.show_text(state.text)
    assert state.overrides == {"food": "Negative"}
    state.show_text("another")
    assert (state.overrides, state.past) == ({}, [])

"""What a session remembers, and what an address may change."""

from __future__ import annotations

import pytest

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.session.correction import Request
from tests.app.made import SPACE, made
from ui.resources.examples import Example
from ui.state import AppState
from ui.work import OVERRIDE

EXAMPLES = {name: Example(name, name.title(), f"text of {name}") for name in ("one", "two")}
CONCEPTS = ("food", "service")


def applied(state: AppState, **parameters: str) -> AppState:
    state.apply(parameters, EXAMPLES, CONCEPTS)
    return state


def test_a_fresh_start_shows_the_first_example() -> None:
    state = applied(AppState())
    assert (state.work.example, state.work.text) == ("one", "text of one")
    assert state.parameters() == {"example": "one"}


def test_an_address_is_followed() -> None:
    state = applied(AppState(), example="two", concept="service", method="occlusion")
    assert state.work.text == "text of two"
    assert state.parameters() == {"example": "two", "concept": "service", "method": "occlusion"}


@pytest.mark.parametrize("name", ["example", "concept", "method"])
def test_nonsense_in_an_address_is_ignored(name: str) -> None:
    assert applied(AppState(), **{name: "<script>"}).parameters() == {"example": "one"}


def test_a_text_of_ones_own_never_reaches_the_address() -> None:
    state = applied(AppState())
    state.show_text("my secret")
    assert state.parameters() == {}
    assert applied(state, concept="food").work.text == "my secret"


def test_overrides_undo_in_order_and_reset() -> None:
    state = applied(AppState())
    state.work.override("food", "Negative")
    state.work.override("service", "Positive")
    state.work.override("food", None)
    assert state.work.overrides == {"service": "Positive"}
    state.work.undo()
    assert state.work.overrides == {"food": "Negative", "service": "Positive"}
    state.work.undo()
    assert state.work.overrides == {"food": "Negative"}
    state.work.reset()
    assert state.work.overrides == {}
    state.work.undo()
    assert state.work.overrides == {"food": "Negative"}
    state.work.undo()
    state.work.undo()
    assert (state.work.overrides, state.work.past) == ({}, [])


def test_setting_what_is_set_already_is_no_step() -> None:
    state = applied(AppState())
    state.work.override("food", None)
    assert state.work.past == []


def test_another_text_drops_what_was_set_by_hand() -> None:
    state = applied(AppState())
    state.work.override("food", "Negative")
    state.show_text(state.work.text)
    assert state.work.overrides == {"food": "Negative"}
    state.show_text("another")
    assert (state.work.overrides, state.work.past) == ({}, [])


def test_an_address_without_an_example_gives_ones_own_text_back() -> None:
    state = applied(AppState())
    state.show_text("mine")
    assert applied(state, example="two").work.text == "text of two"
    assert applied(state).work.text == "mine"
    assert state.work.example is None


def test_an_address_without_an_example_is_the_first_one_before_there_is_a_text_of_ones_own() -> None:
    state = applied(AppState(), example="two")
    assert applied(state).work.example == "one"


def test_leaving_the_menu_of_examples_gives_ones_own_text_back() -> None:
    state = applied(AppState())
    state.leave_example()
    assert (state.work.text, state.work.example) == ("text of one", None)
    state.show_text("mine")
    state.show_text("text of two", "two")
    state.leave_example()
    assert (state.work.text, state.work.example) == ("mine", None)


def test_the_model_s_own_state_can_be_confirmed_by_hand() -> None:
    state = applied(AppState())
    state.work.override("food", "Positive")
    assert state.work.overrides == {"food": "Positive"}
    state.work.override("food", None)
    assert state.work.overrides == {}


def test_an_explanation_from_a_file_goes_with_the_next_text_or_method() -> None:
    state = applied(AppState())
    for leave in (lambda: state.show_text("another"), lambda: state.choose_method("occlusion")):
        state.open_saved(made(text="saved", scores=(1.0,)))
        assert (state.work.text, state.work.example, state.method) == ("saved", None, "integrated_gradients")
        leave()
        assert state.work.saved is None


def test_the_concept_shown_first_is_mentioned_and_moves_the_label_most() -> None:
    state = AppState()
    assert state.work.selected(made(1.9, -0.7), SPACE) == "food"
    assert state.work.selected(made(1.9, -0.7, {"food": UNKNOWN}), SPACE) == "service"
    assert state.work.selected(made(1.9, -0.7, {"food": UNKNOWN, "service": UNKNOWN}), SPACE) == "food"
    state.work.choose_concept("service")
    assert state.work.selected(made(1.9, -0.7), SPACE) == "service"


def test_under_the_rule_that_corrects_nothing_a_request_becomes_a_choice_by_hand() -> None:
    state = applied(AppState())
    state.work.set(rule=OVERRIDE)
    state.work.correct("food", "Positive")  # the page still showed the rule before
    assert state.work.request is None
    assert state.work.overrides == {"food": "Positive"}


def test_a_request_that_waits_when_the_rule_is_chosen_is_not_lost_and_not_carried_out_later() -> None:
    state = applied(AppState())
    state.work.correct("food", "Positive")
    assert state.work.request == Request("text of one", "food", "Positive")
    state.work.set(rule="signed")
    assert state.work.request is not None
    state.work.set(rule=OVERRIDE)
    assert state.work.overrides == {"food": "Positive"}
    state.work.set(rule="guarded")
    assert state.work.request is None


def test_a_request_for_another_text_is_dropped_with_it() -> None:
    state = applied(AppState())
    state.work.correct("food", "Positive")
    state.work.text = "another"
    state.work.set(rule=OVERRIDE)
    assert (state.work.request, state.work.overrides) == (None, {})


def test_a_callback_says_that_its_run_answers_a_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    state = applied(AppState())
    monkeypatch.setattr("streamlit.session_state", {"key": "Negative"})
    state.on_value("key", state.work.override, "food")()
    assert (state.touched, state.work.overrides) == (True, {"food": "Negative"})
    state.touched = False
    state.on(state.work.override, "food")(None)
    assert (state.touched, state.work.overrides) == (True, {})

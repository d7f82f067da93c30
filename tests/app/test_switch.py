"""What a session keeps of each model when another is chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.session.correction import Correction, Request
from tests.app.kept import a_patch
from tests.app.made import made
from tests.tiny import SPACE, make_tiny
from ui.resources.examples import Example
from ui.resources.models import ModelCard
from ui.resources.session import model_now
from ui.state import AppState

STATES = ("Negative", "Positive")
FOOD = ModelCard(Path("food"), (), "sparse", SPACE, {}, {}, "f0", title="Food")
FILMS = ModelCard(
    Path("films"),
    (),
    "sparse",
    ConceptSpace(("acting", "story"), STATES, STATES),
    {},
    {},
    "f1",
    title="Films",
)
TEXTS = {
    "f0": {name: Example(name, name, f"a meal: {name}") for name in ("soup", "same")},
    "f1": {name: Example(name, name, f"a film: {name}") for name in ("plot", "same")},
    "f2": {name: Example(name, name, f"a meal: {name}") for name in ("stew", "soup")},
    "f3": {},
}


def opened(card: ModelCard = FOOD, **address: str) -> AppState:
    """A session that has begun with a model."""
    state = AppState()
    go(state, card)
    state.apply(address, TEXTS[str(card.fingerprint)], card.space.concepts)
    return state


def go(state: AppState, card: ModelCard) -> AppState:
    state.switch(card.folder.name, card, lambda: TEXTS[str(card.fingerprint)])
    return state


def shown(state: AppState) -> tuple[str, str | None]:
    return state.work.text, state.work.example


def correction(model: str, concept: str = "food") -> Correction:
    patch = a_patch(make_tiny("bert"), SPACE.concepts.index(concept))
    return Correction(replace(patch, model=model))


def test_an_example_gives_way_to_the_opening_example_of_the_other_model() -> None:
    state = opened(example="same")
    assert shown(go(state, FILMS)) == ("a film: plot", "plot")
    assert state.own_text is None


def test_back_with_a_model_is_what_was_last_read_with_it() -> None:
    state = opened(example="same")
    go(state, FILMS).show_text("a film: same", "same")
    assert shown(go(state, FOOD)) == ("a meal: same", "same")
    assert shown(go(state, FILMS)) == ("a film: same", "same")


def test_a_text_of_ones_own_stays_and_is_still_there_after_an_example() -> None:
    state = opened()
    state.show_text("mine")
    assert shown(go(state, FILMS)) == ("mine", None)
    state.show_text("mine too")
    assert shown(go(state, FOOD)) == ("mine too", None)
    go(state, FILMS).show_text("a film: plot", "plot")
    assert shown(go(state, FOOD)) == ("mine too", None)
    assert state.own_text == "mine too"


def test_an_example_that_fits_both_models_stays() -> None:
    state = opened()
    assert state.work.example == "soup"
    assert shown(go(state, replace(FOOD, folder=Path("other"), fingerprint="f2"))) == ("a meal: soup", "soup")


def test_without_examples_ones_own_text_comes_back_or_nothing() -> None:
    bare = replace(FILMS, fingerprint="f3")
    assert shown(go(opened(), bare)) == ("", None)
    state = opened()
    state.show_text("mine")
    state.show_text("a meal: soup", "soup")
    assert shown(go(state, bare)) == ("mine", None)


def test_a_model_chosen_before_a_review_was_shown_opens_with_its_own_example() -> None:
    state = go(go(AppState(), FOOD), FILMS)
    state.apply({}, TEXTS["f1"], FILMS.space.concepts)
    assert shown(state) == ("a film: plot", "plot")
    assert shown(go(state, FOOD)) == ("a meal: soup", "soup")


def test_each_model_has_its_own_corrections_choices_and_settings_and_comes_back_to_them() -> None:
    state = opened()
    own = correction("f0")
    state.work.take_over(own)
    state.work.override("food", "Negative")
    state.work.set(r=0.4, most_broken=1)
    state.work.masks.choose_matrix("m")
    state.work.ledger.only("concept", "food")
    state.work.correct("food", "Positive")
    kept = {name: getattr(state.work, name) for name in ("history", "overrides", "past", "settings", "masks")}
    go(state, FILMS)
    fresh = AppState()
    assert (state.work.history, state.work.overrides, state.work.past) == (fresh.work.history, {}, [])
    assert (state.work.settings, state.work.masks, state.work.ledger) == (
        fresh.work.settings,
        fresh.work.masks,
        fresh.work.ledger,
    )
    assert (state.work.concept, state.work.request) == (None, None)
    state.work.override("acting", "Negative")
    go(state, FOOD)
    assert {name: getattr(state.work, name) for name in kept} == kept
    assert state.work.corrections == (own,)
    assert (state.work.concept, state.work.overrides) == ("food", {"food": "Negative"})
    assert state.work.request is None  # whoever left has called it off


def test_a_click_of_a_page_that_still_showed_another_model_is_that_model_s() -> None:
    state = opened()
    drawn = [
        state.on(state.work.override, "food", "Negative"),
        state.on(state.work.correct, "food", "Positive"),
    ]
    go(state, FILMS)
    for click in drawn:
        click()
    assert (state.work.overrides, state.work.request) == ({}, None)
    go(state, FOOD)
    assert state.work.overrides == {"food": "Negative"}
    assert state.work.request is None  # it was pressed when nobody waited for it any more


def test_what_was_set_by_hand_goes_where_the_text_has_changed_in_the_meantime() -> None:
    state = opened()
    state.show_text("mine")
    state.work.override("food", "Negative")
    go(state, FILMS).show_text("another")
    go(state, FOOD)
    assert (state.work.text, state.work.overrides, state.work.past) == ("another", {}, [])


def test_an_explanation_from_a_file_waits_with_its_model() -> None:
    state = opened()
    state.open_saved(made(text="saved", scores=(1.0,)))
    go(state, FILMS)
    assert (shown(state), state.work.saved) == (("saved", None), None)
    go(state, FOOD)
    assert state.work.saved is not None
    assert state.work.saved.text == "saved"


def test_corrections_of_another_model_are_never_taken_in() -> None:
    state = go(opened(), FILMS)
    state.work.use(
        [correction("f0"), correction("f1", "service")]
    )  # a button of a page that still showed the other model
    assert [item.patch.model for item in state.work.corrections] == ["f1"]
    state.work.take_over(correction("f0"))
    assert (len(state.work.corrections), state.work.concept) == (1, None)
    state.work.correct("food", "Positive")
    state.work.override("food", "Positive")
    assert (state.work.request, state.work.overrides) == (None, {})
    state.work.correct("acting", "Positive")
    assert state.work.request == Request(state.work.text, "acting", "Positive")


def test_a_model_is_never_corrected_by_another_s_edits() -> None:
    base = make_tiny("bert")
    own, foreign = Correction(a_patch(base, 0)), correction("f1", "service")
    assert model_now(base, (foreign,)) is base
    assert (
        model_now(base, (own, foreign)).fingerprint == model_now(base, (own,)).fingerprint != base.fingerprint
    )


@pytest.mark.parametrize("same", [{}, {"folder": Path("moved")}])
def test_the_same_model_under_another_name_is_no_change(same: dict[str, Any]) -> None:
    state = opened()
    state.work.take_over(correction("f0"))
    go(state, replace(FOOD, **same))
    assert (len(state.work.corrections), state.turn, state.keyed("key")) == (1, 0, "key")
    go(state, FILMS)
    assert (state.turn, state.keyed("key")) == (1, "key-1")


def test_a_folder_whose_files_were_replaced_is_another_model() -> None:
    state = opened()
    state.work.take_over(correction("f0"))
    go(state, replace(FOOD, fingerprint="f2"))
    assert state.work.corrections == ()

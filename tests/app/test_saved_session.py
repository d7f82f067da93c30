"""A session that goes on elsewhere: from a file, or after a reload of the page."""

from __future__ import annotations

import pytest

from sparsecbm_core.errors import InputError
from tests.app.conftest import CORRECTIONS, Start, explain, html, said
from tests.app.test_correct import correct, found, state_of
from ui.frame import remember

OWN = "Good meal, friendly cook."


def test_another_visitor_goes_on_where_a_session_was_saved(start: Start) -> None:
    app = explain(start(), OWN)
    wanted = correct(app, "noise")
    state = state_of(app)
    assert state.work.card is not None
    content = remember.saved(state, state.work.card)

    fresh = start()
    other, card = state_of(fresh), state_of(fresh).work.card
    assert card is not None
    assert remember.open_session(other, card, content) == 1
    fresh.run()
    assert other.work.text == OWN
    assert found(fresh, "noise") == wanted
    assert "1 correction, not kept yet" in html(fresh, "The model with 1 correction")
    # A second time adds nothing.
    assert remember.open_session(other, card, content) == 0


def test_a_session_of_another_model_changes_nothing(start: Start) -> None:
    app = explain(start(), OWN)
    state = state_of(app)
    card = state.work.card
    assert card is not None
    assert card.fingerprint is not None
    content = remember.saved(state, card).replace(card.fingerprint, "f" * 16)
    with pytest.raises(InputError, match="another model"):
        remember.open_session(state, card, content.replace(OWN, "Other"))
    assert state.work.text == OWN


def test_the_page_of_corrections_saves_the_session(start: Start) -> None:
    app = start(page=CORRECTIONS)
    assert "Save the session" in [button.label for button in app.get("download_button")]
    assert said(app) == ""

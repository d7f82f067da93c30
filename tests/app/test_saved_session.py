"""A session that goes on elsewhere: from a file, or after a reload of the page."""

from __future__ import annotations

import pytest

from sparsecbm_core.errors import InputError
from tests.app.conftest import CORRECTIONS, MASKS, Start, explain, html, said
from tests.app.test_correct import correct, found, state_of
from ui.frame import link, remember
from ui.widgets.mask_view import PAIR

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


def test_a_link_brings_kept_corrections_and_the_masks_view_and_they_leave_the_address(start: Start) -> None:
    app = start()
    wanted = correct(app)
    state = state_of(app)
    assert link.left_out(state, text=False) == "The link leaves out 1 correction not kept."
    app.button(key="keep_submit").click().run()
    assert link.parameters(state)["kept"] == "1"
    assert link.left_out(state, text=True) == "The link leaves out the text of the review."

    opened = start(kept="1,7,x", view=PAIR, matrix="no such one")
    assert found(opened) == wanted
    assert state_of(opened).work.masks.view == PAIR
    assert not {"kept", "view", "matrix"} & set(opened.query_params)
    assert not opened.switch_page(MASKS).run().exception

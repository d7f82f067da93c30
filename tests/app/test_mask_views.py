"""What the Masks page looks at, without the page: views, places and files."""

from __future__ import annotations

import numpy as np
import pytest

from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.in_force import corrected_model
from tests.app.test_masks_page import MATRIX, OTHER, corrected, flips, model
from ui.masks.matrix import window_corner
from ui.masks.overview import chosen_matrix, flip_rows, summary
from ui.masks.page import VIEWS
from ui.widgets import charts
from ui.widgets.exports import csv_text
from ui.widgets.mask_view import DIFFERENCE, LOADED, PAIR, differs, kinds, view_of
from ui.work import MaskChoice


def test_flips_as_a_file() -> None:
    view = view_of(DIFFERENCE, model(), corrected(), "service", None)
    rows = flip_rows(view)
    assert csv_text(rows).startswith("concept,layer,matrix,row,column,change\nservice,1,feed-forward in,")
    masks = model().masks
    assert masks is not None
    own = masks.concept_bool(MATRIX, "service")
    found = {(row["row"], row["column"]): row["change"] for row in rows if row["matrix"] == "key"}
    assert sorted(row * 16 + column for row, column in found) == flips("service", MATRIX, 3, 2).tolist()
    assert all((change == "dropped") == own[place] for place, change in found.items())
    assert len(rows) == 6


def test_a_changed_sparsity_is_said() -> None:
    change = MaskEdit({"service": {MATRIX: flips("service", MATRIX, 3, 1)}})
    view = view_of(DIFFERENCE, model(), corrected_model(model(), change), "service", None)
    assert summary(view).endswith("1,022 used now: 2 fewer than before, sparsity 75.0 %.")


def test_which_views_there_are() -> None:
    assert kinds(corrected=False, several=False) == [LOADED]
    assert kinds(corrected=True, several=False) == [DIFFERENCE, LOADED, "corrected"]
    assert kinds(corrected=True, several=True) == list(VIEWS)
    choice = MaskChoice(view=DIFFERENCE)
    assert choice.shown([LOADED, PAIR]) == LOADED
    assert choice.shown([DIFFERENCE, LOADED]) == DIFFERENCE
    assert MaskChoice(second="food").other("food", ("food", "service")) == "service"


def test_the_window_begins_where_most_changed_and_stays_inside() -> None:
    change = MaskEdit({"service": {OTHER: np.arange(16 * 30, 16 * 30 + 5)}})
    view = view_of(DIFFERENCE, model(), corrected_model(model(), change), "service", None)
    assert chosen_matrix(MaskChoice(), view) == OTHER
    assert window_corner(MaskChoice(), view, OTHER, 8) == (24, 0)
    assert window_corner(MaskChoice(corner=(31, 15)), view, OTHER, 8) == (24, 8)
    assert window_corner(MaskChoice(corner=(-4, -4)), view, OTHER, 8) == (0, 0)
    assert differs(model(), corrected_model(model(), change), "service")
    assert not differs(model(), corrected_model(model(), change), "food")


def test_only_a_click_on_a_point_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[object] = []
    for points in ([], [{"x": 1}], [{"customdata": [0, 2, "name"]}]):
        monkeypatch.setattr("streamlit.session_state", {"key": {"selection": {"points": points}}})
        charts._picked("key", chosen.append)
    assert chosen == [[0, 2, "name"]]

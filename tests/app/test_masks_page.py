"""The Masks page, without a browser: a tiny model, corrected by flips that are written down here."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.in_force import corrected_model
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.intervene.scope import Signature
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.session.correction import Correction
from tests.app.conftest import MASKS, METRICS, TRAINING, Start, chart, html
from tests.tiny import make_tiny
from ui.masks.page import VIEWS
from ui.state import KEY, AppState
from ui.widgets.mask_view import DIFFERENCE, LOADED, PAIR

MATRIX = "encoder.layer.1.attention.self.key"
OTHER = "encoder.layer.0.intermediate.dense"


@cache
def model() -> ConceptModel:
    return make_tiny("bert")


def flips(concept: str, matrix: str, dropped: int, grown: int) -> np.ndarray:
    """The first weights that the concept keeps, and the first that it does not."""
    masks = model().masks
    assert masks is not None
    bits = masks.concept_bool(matrix, concept).reshape(-1)
    return np.sort(np.concatenate([np.flatnonzero(bits)[:dropped], np.flatnonzero(~bits)[:grown]]))


def edit() -> MaskEdit:
    """Service: 3 dropped and 2 grown in one matrix, 1 grown in another."""
    return MaskEdit(
        {"service": {MATRIX: flips("service", MATRIX, 3, 2), OTHER: flips("service", OTHER, 0, 1)}}
    )


def correct(app: AppTest, change: MaskEdit | None = None, like: str | None = None) -> None:
    """Give the session a correction, as the Explain page does."""
    patch = Patch(
        edit=change or edit(),
        model=model().fingerprint,
        concept="service",
        state_before="Positive",
        state="Negative",
        rule="signed",
        r=0.001,
        seed=0,
        dropped=3,
        grown=3,
        created="2026-01-01T00:00:00",
        signature=None if like is None else Signature.of(like),
    )
    state: AppState = app.session_state[KEY]
    state.work.history.add(Correction(patch))


def corrected() -> ConceptModel:
    return corrected_model(model(), edit())


@pytest.fixture(autouse=True)
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPARSECBM_LEDGER", str(tmp_path / "ledger.sqlite"))


@pytest.fixture
def app(start: Start) -> AppTest:
    """The page of a session with a correction of Service."""
    app = start(page=MASKS)
    correct(app)
    return app.run()


def words(app: AppTest) -> str:
    return " ".join(re.sub("<[^>]*>", " ", part.proto.body) for part in app.get("html"))


def numbers(app: AppTest, caption: str) -> list[list[str]]:
    """The cells of a table, row by row, the total last."""
    table = html(app, f'aria-label="{caption}').split("<tbody>")[1]
    return [re.findall("<td[^>]*>([^<]*)</td>", row) for row in table.split("</tr>")[:-1]]


def codes(app: AppTest) -> np.ndarray:
    figure: Any = chart(app, "mask-weights")
    z = figure["data"][0]["z"]
    rows, columns = map(int, z["shape"].split(","))
    return np.frombuffer(base64.b64decode(z["bdata"]), np.uint8).reshape(rows, columns)


def test_without_a_correction_the_masks_are_shown_as_loaded(start: Start) -> None:
    app = start(page=MASKS)
    assert not app.exception
    assert not app.error
    assert [title.value for title in app.title] == ["Masks"]
    assert "Nothing is corrected in this session." in words(app)
    assert "1,024 of 4,096 encoder weights used: 75.0 % sparse." in words(app)
    assert app.segmented_control(key="mask_view").options == ["As loaded", "Two concepts"]
    assert app.segmented_control(key="mask_concept").value == "food"


def test_a_dense_model_has_no_masks_to_show(start: Start, tmp_path: Path) -> None:
    dense = replace(make_tiny("bert", density=None), metrics=METRICS, training=TRAINING)
    dense.save_pretrained(tmp_path / "dense")
    app = start(tmp_path / "dense", page=MASKS)
    assert not app.exception
    assert "there are no masks" in words(app)
    assert not app.get("plotly_chart")


def test_the_address_chooses_the_concept(start: Start) -> None:
    app = start(concept="noise").switch_page(MASKS).run()
    assert app.segmented_control(key="mask_concept").value == "noise"
    assert app.query_params["concept"] == "noise"
    app.segmented_control(key="mask_concept").set_value("service").run()
    assert app.query_params["concept"] == "service"


def test_a_correction_is_what_is_shown_first(app: AppTest) -> None:
    assert not app.exception
    assert app.segmented_control(key="mask_concept").value == "service"
    assert app.segmented_control(key="mask_view").value == DIFFERENCE
    line = "1,024 used before, 3 dropped, 3 grown, 1,024 used now: sparsity unchanged at 75.0 %."
    assert line in words(app)
    assert app.selectbox(key="mask_matrix").value == MATRIX


def test_the_overview_adds_up_to_the_totals_shown(app: AppTest) -> None:
    *rows, total = numbers(app, "service, before and after, matrix by matrix")
    found = np.array([[int(cell.replace(",", "")) for cell in row[2:]] for row in rows])
    assert total[2:] == [f"{value:,}" for value in found.sum(0)] == ["1,024", "3", "3", "1,024", "4,096"]
    assert (found[:, 0] - found[:, 1] + found[:, 2] == found[:, 3]).all()
    assert ["2", "key", "64", "3", "2", "63", "256"] in rows
    figure: Any = chart(app, "masks-difference")
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert sorted(text for text in texts if text != "0") == ["−0<br>+1", "−3<br>+2"]


def test_the_window_is_weight_by_weight_what_changed(app: AppTest) -> None:
    before, after = model().masks, corrected().masks
    assert before is not None
    assert after is not None
    old, new = (masks.concept_bool(MATRIX, "service") for masks in (before, after))
    wanted = np.select([old & new, old, new], [1, 2, 3], 0)
    assert (codes(app) == wanted).all()
    assert ["dropped", "3"] in numbers(app, "Layer 2, key, from row 0")


@pytest.mark.parametrize("view", list(VIEWS))
def test_every_view_shows_every_part(app: AppTest, view: str) -> None:
    app.segmented_control(key="mask_view").set_value(view).run()
    assert not app.exception
    assert not app.error
    for name in (f"masks-{view}", "mask-blocks", "mask-weights", "overlap"):
        assert chart(app, name)
    *rows, total = numbers(app, "service")
    assert total[0] == "all"
    assert len(rows) == 12


def test_two_concepts_are_compared_as_they_are_now(app: AppTest) -> None:
    app.segmented_control(key="mask_view").set_value(PAIR).run()
    assert app.selectbox(key="mask_second").options == ["food", "noise"]
    app.selectbox(key="mask_second").set_value("noise").run()
    app.selectbox(key="mask_matrix").set_value(MATRIX).run()
    masks = corrected().masks
    assert masks is not None
    first, second = (masks.concept_bool(MATRIX, name) for name in ("service", "noise"))
    assert (codes(app) == first + 2 * second).all()
    both, either = masks.overlap("service", "noise")
    assert f"{both:,} weights used by both" in words(app)
    assert f"{4096 - either:,} by neither" in words(app)


def test_a_concept_without_a_correction_says_so(app: AppTest) -> None:
    app.segmented_control(key="mask_concept").set_value("food").run()
    assert "leave food as it was loaded" in words(app)
    assert app.segmented_control(key="mask_view").options == ["As loaded", "Two concepts"]
    app.segmented_control(key="mask_concept").set_value("service").run()
    assert app.segmented_control(key="mask_view").value == DIFFERENCE


def test_another_matrix_and_another_place_without_a_mouse(app: AppTest) -> None:
    app.selectbox(key="mask_matrix").set_value(OTHER).run()
    assert codes(app).shape == (32, 16)
    state: AppState = app.session_state[KEY]
    state.work.masks.size = 8
    app.run()
    app.number_input(key="mask_row").set_value(20).run()
    app.number_input(key="mask_column").set_value(3).run()
    masks = corrected().masks
    assert masks is not None
    cut = masks.concept_bool(OTHER, "service")[20:28, 3:11]
    assert ((codes(app) % 2 == 1) == cut).all()
    assert app.number_input(key="mask_row").max == 24
    # A matrix without that place shows what there is at its edge.
    state.work.masks.choose_matrix(MATRIX)
    state.work.masks.go_to(20, 3)
    app.run()
    assert app.number_input(key="mask_row").value == 8
    assert not app.exception


def test_overlap_before_and_after(app: AppTest) -> None:
    before, after = model().masks, corrected().masks
    assert before is not None
    assert after is not None
    rows = {(row[0], row[1]): row[2:4] for row in numbers(app, "Overlap of each pair")}
    for pair in (("food", "service"), ("food", "noise"), ("service", "noise")):
        assert rows[pair] == [f"{masks.overlap(*pair)[0]:,}" for masks in (before, after)]


def test_one_session_sees_nothing_of_the_others_corrections(app: AppTest, start: Start) -> None:
    other = start(page=MASKS)
    assert "Nothing is corrected in this session." in words(other)
    assert "Nothing is corrected in this session." not in words(app.run())


def test_a_correction_for_similar_reviews_is_shown_where_it_holds(start: Start) -> None:
    app = start(page=MASKS)
    correct(app, like="The waiter was slow.")
    app.run()
    assert "Left out: 1 of 1 corrections" in words(app)
    assert app.segmented_control(key="mask_view").value == LOADED
    state: AppState = app.session_state[KEY]
    state.show_text("The waiter was slow!")
    app.run()
    assert "Left out" not in words(app)
    assert app.segmented_control(key="mask_view").value == DIFFERENCE


def test_a_correction_undone_is_gone_here(app: AppTest) -> None:
    state: AppState = app.session_state[KEY]
    state.work.history.undo()
    app.run()
    assert not app.exception
    assert app.segmented_control(key="mask_view").value == LOADED


def test_a_correction_of_another_model_is_refused_in_one_line(app: AppTest) -> None:
    correct(app, MaskEdit({"service": {"encoder.layer.7.key": np.arange(6)}}))
    app.run()
    assert not app.exception
    assert len(app.error) == 1
    assert "encoder" in app.error[0].value


def compact() -> None:
    from tests.app.test_masks_page import corrected, model
    from ui.explain import mask_changes

    mask_changes.show(model(), corrected(), "service")
    mask_changes.show(model(), corrected(), "food")


def test_three_pictures_for_the_explain_page(monkeypatch: pytest.MonkeyPatch) -> None:
    linked: list[str] = []
    monkeypatch.setattr("streamlit.page_link", lambda page, **_: linked.append(page))
    app = AppTest.from_function(compact, default_timeout=60).run()
    assert not app.exception
    assert [header.value for header in app.header] == ["Subnetwork of service, before and after"]
    for line in ("Before: 1,024 used", "After: 1,024 used", "Difference: ■ 3 grown, × 3 dropped"):
        assert line in words(app)
    figure: Any = chart(app, "before-after-difference")
    marks = {trace["name"]: trace["marker"]["symbol"] for trace in figure["data"][1:]}
    assert marks == {"Dropped": "x", "Grown": "square"}
    assert linked == [MASKS]

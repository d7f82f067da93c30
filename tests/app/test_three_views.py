"""The Three views page, without a browser: a tiny sparse model with the dense one beside it."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from sparsecbm_core.explain.attention import attention
from tests.app.conftest import EXPLAIN, FIRST, SECOND, THREE_VIEWS, Start, chart, dense, html, said
from tests.app.conftest import explain as enter
from tests.app.test_masks_page import correct
from tests.app.views import HEADS, cells, heads, lines, reviews, words_of_test
from tests.tiny import MAX_LENGTH
from ui.state import KEY, AppState
from ui.three_views import page

LAYER, CONCEPT = "layer_choice", "view_concept"


def test_three_views_of_the_opening_example(start: Start, pair: Path) -> None:
    app = start(pair, page=THREE_VIEWS)
    assert not app.exception
    assert not app.error
    assert heads(app) == HEADS
    assert len(reviews(app)) == 2  # the bottleneck has no words
    assert [unescape(re.sub("<[^>]*>", "", review)) for review in reviews(app)] == [FIRST["text"]] * 2
    assert "sc-neutral" in reviews(app)[0]
    for key in ("attention", "contributions-dense", "contributions-sparse"):
        assert chart(app, key)
    for line in ("Label of the dense model", "Label of the sparse model", "It can tell", "It cannot tell"):
        assert line in lines(app)
    assert "is another one than" not in lines(app)
    assert said(app).startswith("Three views. The dense model says ")
    assert app.query_params["example"] == FIRST["id"]


def test_attention_is_that_of_the_dense_model_layer_by_layer(start: Start, pair: Path) -> None:
    app = start(pair, page=THREE_VIEWS)
    looks = attention(dense(), FIRST["text"])
    assert app.selectbox(key=LAYER).options == ["All layers (rollout)", "Layer 1 of 2", "Layer 2 of 2"]
    for layer, received in ((0, looks.rollout), (2, looks.layers[1]), (1, looks.layers[0])):
        app.selectbox(key=LAYER).set_value(layer).run()
        assert not app.exception
        *shown, frame = cells(app, "The attention that the words looked at most receive")
        assert [word for word, _ in shown] == [token.text for token in received.tokens]
        # Weights are stored in half precision, so the last digit shown may differ.
        found = [float(share.removesuffix(" %")) for _, share in (*shown, frame)]
        wanted = [100 * token.score for token in received.tokens] + [100 * received.framing]
        assert found == pytest.approx(wanted, abs=0.11)
        assert sum(found) == pytest.approx(100, abs=0.06 * len(found))
        assert f"{frame[1]} of the attention goes to the tokens that frame the text" in lines(app)
    assert app.session_state[KEY].work.layer == 1


def test_the_shading_is_the_same_for_every_concept_and_the_pathways_is_not(start: Start, pair: Path) -> None:
    app = start(pair, page=THREE_VIEWS)
    seen = []
    for concept in ("service", "noise", "food"):  # food is where the page opens
        app.segmented_control(key=CONCEPT).set_value(concept).run()
        assert not app.exception
        assert app.query_params["concept"] == concept
        seen.append(reviews(app))
        figure: Any = chart(app, "contributions-dense")
        assert f"<b>{concept}</b>" in figure["layout"]["yaxis"]["ticktext"]
        assert f'<tr class=sc-chosen><th scope="row">{concept}</th>' in html(
            app, "Concepts of the dense model"
        )
    assert len({first for first, _ in seen}) == 1
    assert len({second for _, second in seen}) > 1


def test_the_test_is_of_the_chosen_concept_and_layer(start: Start, pair: Path) -> None:
    app = start(pair, page=THREE_VIEWS)
    tested = []
    for concept in ("food", "service", "noise"):
        app.segmented_control(key=CONCEPT).set_value(concept).run()
        if f"{concept} is not mentioned. No word carries that" in lines(app):
            assert not html(app, "sc-found")
            continue
        tested.append(concept)
        bars = words_of_test(app, concept)
        assert list(bars) == ["Pathway's words", "Attention's words", "Random words"]
        told = html(app, "sc-found").replace("\N{NO-BREAK SPACE}", " ")
        for values in bars.values():
            assert len(values) == 3
            assert values[1].replace(">", "&gt;").replace("<", "&lt;") in told
        before = bars["Pathway's words"], bars["Random words"]
        app.selectbox(key=LAYER).set_value(1).run()
        after = words_of_test(app, concept)
        assert (after["Pathway's words"], after["Random words"]) == before
        app.selectbox(key=LAYER).set_value(0).run()
    assert tested


def test_another_review_is_chosen_on_the_explain_page(start: Start, pair: Path) -> None:
    app = start(pair, page=THREE_VIEWS)
    app.switch_page(EXPLAIN).run()
    app.selectbox(key="example_choice").set_value(SECOND["id"]).run()
    app.switch_page(THREE_VIEWS).run()
    assert not app.exception
    assert unescape(re.sub("<[^>]*>", "", reviews(app)[0])) == SECOND["text"]


def test_the_address_is_followed(start: Start, pair: Path) -> None:
    app = start(pair, concept="noise", example=SECOND["id"], method="gradient").switch_page(THREE_VIEWS).run()
    assert app.segmented_control(key=CONCEPT).value == "noise"
    assert "Words found by: Gradient norm." in lines(app)


def test_without_a_review_there_is_a_hint(start: Start, pair: Path) -> None:
    app = enter(start(pair), "  ").switch_page(THREE_VIEWS).run()
    assert not app.exception
    assert heads(app) == []
    assert "Write, paste or choose one on the Explain page." in html(app, "sc-hint")


@pytest.mark.parametrize("text", ["\u200b", "soup"])
def test_a_text_without_words_or_with_one_is_no_error(start: Start, pair: Path, text: str) -> None:
    app = enter(start(pair), text).switch_page(THREE_VIEWS).run()
    assert not app.exception
    assert not app.error


def test_a_long_text_is_shown_whole_and_grey_where_it_was_not_read(start: Start, pair: Path) -> None:
    app = enter(start(pair, method="gradient"), "good cold soup " * 40).switch_page(THREE_VIEWS).run()
    assert not app.exception
    for review in reviews(app):
        unread = review.split('<span class="sc-unread">')[1].split("</span>")[0]
        assert len(unread.split()) == 120 - (MAX_LENGTH - 2)


def test_corrections_of_the_session_are_in_the_pathway_alone(start: Start, pair: Path) -> None:
    app = start(pair, page=THREE_VIEWS)
    assert "corrections of this session" not in lines(app)
    correct(app)
    app.run()
    assert not app.exception
    assert "The corrections of this session are in the sparse model alone." in lines(app)
    assert "1 correction" in html(app, "sc-pill")


def test_a_text_of_signs_is_shown_as_text(start: Start, pair: Path) -> None:
    text = "<script>alert(1)</script> **soup** $x$ `a` \x00 good"
    app = enter(start(pair), text).switch_page(THREE_VIEWS).run()
    assert not app.exception
    for review in reviews(app):
        assert set(re.findall(r"<(\w+)", review)) <= {"div", "span"}
    assert "<script>" not in html(app, "sc-found")


def test_everything_is_in_the_file(start: Start, pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: dict[str, Any] = {}
    download = page.download

    def keep(label: str, data: Any, name: str, *args: Any, **options: Any) -> None:
        saved[name] = data
        download(label, data, name, *args, **options)

    monkeypatch.setattr(page, "download", keep)
    app = start(pair, page=THREE_VIEWS)
    assert not app.exception
    data = json.loads(saved["three-views.json"]())
    assert list(data) == ["schema_version", "attention", "bottleneck", "pathway", "test"]
    assert data["schema_version"] == 1
    assert (
        data["attention"]["fingerprint"]
        == data["bottleneck"]["fingerprint"]
        != data["pathway"]["fingerprint"]
    )
    assert {item["text"] for item in (data["attention"], data["bottleneck"], data["pathway"])} == {
        FIRST["text"]
    }


def test_layers_are_those_of_the_model_that_is_shown(start: Start, pair: Path) -> None:
    app = start(pair, page=THREE_VIEWS)
    state: AppState = app.session_state[KEY]
    state.work.layer = 7
    app.run()
    assert not app.exception
    assert app.selectbox(key=LAYER).value == 0

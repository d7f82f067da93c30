"""The Three views page, without a browser: a tiny sparse model with the dense one beside it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.evaluate.word_removal import Removal, WordRemoval
from sparsecbm_core.explain.attention import attention
from sparsecbm_core.models.concept_model import ConceptModel
from tests.app.conftest import EXPLAIN, FIRST, SECOND, THREE_VIEWS, TRAINING, Start, chart, html, said
from tests.app.conftest import explain as enter
from tests.app.made import SPACE, made
from tests.app.test_masks_page import correct
from tests.tiny import MAX_LENGTH, make_tiny
from ui import views_page
from ui.state import KEY, AppState
from ui.views_concepts import differences
from ui.views_dense import note
from ui.views_test import file_rows, rows
from ui.views_verdict import verdict

LAYER, CONCEPT = "layer_choice", "view_concept"
HEADS = ["Attention", "Plain concept bottleneck", "Sparse pathway", "Put to the test"]


@cache
def dense() -> ConceptModel:
    return make_tiny("bert", density=None)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sparse model, and in its folder the dense one that it was cut from."""
    folder = tmp_path_factory.mktemp("models") / "pair"
    origin = {"fingerprint": dense().fingerprint}
    replace(make_tiny("bert"), training={**TRAINING, "init": origin}).save_pretrained(folder)
    dense().save_pretrained(folder / "dense")
    return folder


@pytest.fixture
def copy(pair: Path, tmp_path: Path) -> Path:
    """The same, to be spoiled."""
    return Path(shutil.copytree(pair, tmp_path / "pair"))


def heads(app: AppTest) -> list[str]:
    return [header.value for header in app.header]


def lines(app: AppTest) -> str:
    """Everything that the page says in HTML of its own, without marks."""
    return unescape(" ".join(re.sub("<[^>]*>", " ", part.proto.body) for part in app.get("html")))


def reviews(app: AppTest) -> list[str]:
    return [part.proto.body for part in app.get("html") if 'class="review"' in part.proto.body]


def cells(app: AppTest, caption: str) -> list[list[str]]:
    table = html(app, f'aria-label="{caption}').split("<tbody>")[1]
    return [re.findall("<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in table.split("</tr>")[:-1]]


def words_of_test(app: AppTest, concept: str) -> dict[str, Any]:
    figure: Any = chart(app, f"words-taken-out-{concept}")
    return {bars["name"]: bars["text"] for bars in figure["data"]}


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
    assert app.session_state[KEY].layer == 1


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


def test_without_a_dense_model_the_page_says_how_to_get_one(start: Start, model_folder: Path) -> None:
    app = start(page=THREE_VIEWS)
    assert not app.exception
    assert not app.error
    assert heads(app) == HEADS
    assert lines(app).count("There is no dense model beside this one.") == 2
    commands = [code.value for code in app.code]
    assert commands == [f"cp -r runs/dense/model {model_folder / 'dense'}"] * 2
    assert len(reviews(app)) == 1
    assert chart(app, "contributions-sparse")
    assert "Without a dense model there is no attention" in lines(app)


@pytest.mark.parametrize("how", ["damaged", "no config", "sparse", "other concepts"])
def test_a_dense_model_that_cannot_be_used_is_one_line_and_the_pathway_stays(
    start: Start, copy: Path, how: str
) -> None:
    folder = copy / "dense"
    if how == "damaged":
        (folder / "model.safetensors").write_bytes(b"\x00" * 64)
    elif how == "no config":
        (folder / "config.json").unlink()
    elif how == "sparse":
        make_tiny("bert").save_pretrained(folder)
    else:
        space = ConceptSpace(("acting",), ("Negative", "Positive", "unknown"), ("1", "2"))
        make_tiny("bert", density=None, space=space).save_pretrained(folder)
    app = start(copy, page=THREE_VIEWS)
    assert not app.exception
    assert not app.error
    said_why = {
        "damaged": "is damaged",
        "no config": "config.json is missing",
        "sparse": "holds a model of kind 'sparse'",
        "other concepts": "is a model of other concepts, states or labels: acting",
    }
    assert lines(app).count("The dense model beside this one cannot be used.") == 2
    assert said_why[how] in lines(app)
    assert not app.code
    assert len(reviews(app)) == 1


def test_a_dense_model_of_another_run_is_shown_with_a_word_of_caution(start: Start, copy: Path) -> None:
    other = make_tiny("bert", seed=1, density=None)
    other.save_pretrained(copy / "dense")
    app = start(copy, page=THREE_VIEWS)
    assert not app.exception
    assert "is another one than the subnetworks were cut from" in lines(app)
    assert len(reviews(app)) == 2


def test_what_is_said_of_where_the_dense_model_is_from() -> None:
    assert note({"init": {"fingerprint": "a"}}, "a") is None
    assert "(b) is another one than the subnetworks were cut from (a)" in str(
        note({"init": {"fingerprint": "a"}}, "b")
    )
    run = {"data": "CEBaB", "settings": {"seed": 0}}
    again = str(note({"init": {**run, "fingerprint": "a"}}, "b", run))
    assert "with the same settings as the one that the subnetworks were cut from (a), in another run" in again
    for other in ({**run, "settings": {"seed": 1}}, {**run, "data": "IMDB-C"}, {}):
        assert "is another one" in str(note({"init": {**run, "fingerprint": "a"}}, "b", other))
    for training in ({}, {"init": None}, {"init": {}}):
        assert "does not say which dense model" in str(note(training, "a"))


def test_a_dense_model_alone_has_no_pathway(start: Start, tmp_path: Path) -> None:
    dense().save_pretrained(tmp_path / "alone")
    app = start(tmp_path / "alone", page=THREE_VIEWS)
    assert not app.exception
    assert not app.error
    assert heads(app) == HEADS
    assert len(reviews(app)) == 1
    assert "There is no subnetwork to follow" in lines(app)
    assert "A dense model has no pathway" in lines(app)
    assert "disagree" not in lines(app)


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
    download = views_page.parts.download

    def keep(label: str, data: Any, name: str, *args: Any, **options: Any) -> None:
        saved[name] = data
        download(label, data, name, *args, **options)

    monkeypatch.setattr(views_page.parts, "download", keep)
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


def test_disagreements_are_named() -> None:
    one = made()
    assert differences(one, one, SPACE) is None
    other = made(states={"food": "unknown"})
    line = differences(one, replace(other, label="bad"), SPACE)
    assert line == (
        "The plain bottleneck and the sparse one disagree: the label, Good review against bad; "
        "Food, Positive against not mentioned."
    )


def removal(
    path: tuple[float, ...], looks: tuple[float, ...], random: tuple[float, ...] = (0.9, 0.9, 0.9)
) -> WordRemoval:
    counts = (1, 3, 5)[: len(path)]
    words = ("a", "b", "c", "d", "e")[: counts[-1]]
    return WordRemoval(
        concept="food",
        state="Positive",
        probability=0.97,
        words=9,
        counts=counts,
        rankings={"pathway": Removal(words, path), "rollout": Removal(words, looks)},
        random=random[: len(path)],
        random_std=(0.1,) * len(path),
        draws=20,
        seed=0,
        model="0" * 16,
    )


@pytest.mark.parametrize(
    ("path", "looks", "random", "ends"),
    [
        ((0.5, 0.2, 0.1), (0.8, 0.7, 0.6), None, "marks what Food is read from better than attention."),
        ((0.8, 0.2, 0.1), (0.8, 0.7, 0.6), None, "(with 3 or 5 words taken out; no difference otherwise)."),
        ((0.8, 0.7, 0.6), (0.5, 0.2, 0.1), None, "attention does better: it marks what Food is read from."),
        ((0.5, 0.2, 0.6), (0.8, 0.7, 0.1), None, "the pathway with 1 or 3 words, attention with 5 words."),
        ((0.5, 0.2, 0.1), (0.51, 0.19, 0.1), None, "Here neither does better than the other."),
        ((0.5, 0.2, 0.1), (0.9, 0.9, 0.95), None, "Random words take as much away as those of attention."),
        ((0.9, 0.9, 0.9), (0.5, 0.2, 0.1), None, "Random words take as much away as those of the pathway."),
        ((0.9, 0.9, 0.9), (0.9, 0.9, 0.9), (0.4, 0.4, 0.4), "Neither takes more away than random words do."),
    ],
)
def test_the_sentence_says_what_happened(
    path: tuple[float, ...], looks: tuple[float, ...], random: tuple[float, ...] | None, ends: str
) -> None:
    found = removal(path, looks, random or (0.9, 0.9, 0.9))
    told = verdict(found, "rollout", "pathway", "Food", "Positive")
    assert told.startswith(
        "With the whole review, Food is Positive with 97 %. Without the 3 words marked most, "
    )
    assert f"{path[1]:.0%}".replace("%", " %") + " remain by the pathway" in told
    assert told.endswith(ends)


def test_a_short_review_is_told_of_in_the_singular() -> None:
    told = verdict(removal((0.2,), (0.6,)), "rollout", "pathway", "Food", "Positive")
    assert "Without the word marked most, 20 % remain by the pathway, 60 % by attention" in told


def test_the_tables_hold_the_numbers_of_the_test() -> None:
    found = removal((0.5, 0.2, 0.1), (0.8, 0.7, 0.6))
    assert [row["taken_out"] for row in rows(found, "rollout")] == ["1 word", "3 words", "5 words"]
    assert [row["attention"] for row in rows(found, "rollout")] == [0.8, 0.7, 0.6]
    in_file = file_rows(found)
    assert len(in_file) == 9
    assert [row["words"] for row in in_file[:3]] == ["a", "a | b | c", "a | b | c | d | e"]
    assert {row["taken_out_by"] for row in in_file} == {"pathway", "attention, rollout", "random words"}


def test_layers_are_those_of_the_model_that_is_shown(start: Start, pair: Path) -> None:
    app = start(pair, page=THREE_VIEWS)
    state: AppState = app.session_state[KEY]
    state.layer = 7
    app.run()
    assert not app.exception
    assert app.selectbox(key=LAYER).value == 0

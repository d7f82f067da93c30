"""The report as one page, and explanations that come back from a file."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain import explain
from sparsecbm_core.intervene.oracle import oracle
from tests.app.conftest import Start, html, pathway, said, sentence, shown_review
from tests.app.made import SPACE, made
from tests.tiny import REVIEW, make_tiny
from ui.correct.report import by_hand_html
from ui.explain.report import report_html
from ui.explain.saved import read_saved, space_of
from ui.widgets.exports import json_text
from ui.widgets.pathway import UNSCORED, pathway_data
from ui.widgets.pathway_still import pathway_svg

HOSTILE = "<script>alert(1)</script></script> soup & <img src=x>"


def test_the_report_is_whole_escaped_and_asks_nobody() -> None:
    space = ConceptSpace(
        SPACE.concepts, SPACE.states, SPACE.labels, {"food": "<b>Food</b>", "good": "</script>"}
    )
    explanation = made(text=HOSTILE, scores=(1.0, -1.0))
    page = report_html(explanation, space, "<i>model</i>")
    assert len(page) < 100_000
    assert not re.findall(r"<(?:script|img|b|i)[ >]", page)
    assert "&lt;script&gt;" in page
    assert "&lt;i&gt;model&lt;/i&gt;, fingerprint 0000000000000000" in page
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert page.count('role="img"') == 3


def test_the_report_holds_the_change_and_the_subnetworks() -> None:
    model = make_tiny("bert")
    from sparsecbm_core.explain.subnetworks import density_image, subnetwork_stats

    assert model.masks is not None
    explanation = explain(model, REVIEW)
    stats = subnetwork_stats(model.masks, model.cbm.matrices)
    images = {name: density_image(model.masks, model.cbm.matrices, name) for name in model.space.concepts}
    result = oracle(model, explanation, {"food": "Positive"})
    by_hand = by_hand_html(result, explanation, model.space)
    page = report_html(explanation, model.space, "tiny", stats, images, by_hand)
    assert "Positive, " in page
    assert "by hand" in page
    assert page.count('role="img"') == 1 + 2 + 1 + 3 + 1


def test_the_pathway_is_a_picture_with_all_that_the_page_shows() -> None:
    model = make_tiny("bert")
    from sparsecbm_core.explain.subnetworks import density_image, subnetwork_stats

    assert model.masks is not None
    explanation = explain(model, "The <b>soup</b> & the waiter's $5 bill")
    stats = subnetwork_stats(model.masks, model.cbm.matrices)
    images = {name: density_image(model.masks, model.cbm.matrices, name) for name in model.space.concepts}
    told = next(name for name, item in explanation.concepts.items() if item.state != UNKNOWN)
    root = ElementTree.fromstring(pathway_svg(explanation, model.space, told, stats, images))
    words = [item.text for item in root.iter() if item.tag.endswith("text")]
    data = pathway_data(explanation, model.space, told, True, stats, {})
    for concept in data["concepts"]:
        assert {concept["title"], concept["state"], concept["text"], concept["mask"]["caption"]} <= set(words)
        assert f"{concept['title']}: {concept['state']}, {concept['text']}" in str(root.get("aria-label"))
    for label in data["labels"]:
        assert {label["title"], label["text"]} <= set(words)
    assert {data["score"], data["base"]["text"], *(word["title"] for word in data["words"])} <= set(words)
    tiles = [item for item in root.iter() if item.tag.endswith("image")]
    assert len(tiles) == 3
    assert all(str(tile.get("href")).startswith("data:image/png;base64,") for tile in tiles)


def test_a_pathway_without_words_or_subnetworks_has_a_picture() -> None:
    explanation = made()
    root = ElementTree.fromstring(pathway_svg(explanation, SPACE, "food", None, {}))
    words = [item.text for item in root.iter() if item.tag.endswith("text")]
    assert UNSCORED in words
    assert not [item for item in root.iter() if item.tag.endswith("image")]


def test_the_report_counts_what_was_not_read_for_every_concept() -> None:
    explanation = made(text="one two three four", scores=(1.0, 1.0), kept_chars=7, states={"food": UNKNOWN})
    assert report_html(explanation, SPACE, "made").count("only the first 2 of 4 words") == 2


def test_what_was_saved_is_read_again() -> None:
    explanation = made(text="good 😀", scores=(1.0, 2.0))
    assert read_saved(json_text(explanation.to_dict()).encode("utf-8-sig")) == explanation
    assert space_of(explanation, SPACE) is SPACE
    other = ConceptSpace(("price",), SPACE.states, SPACE.labels, SPACE.titles)
    assert space_of(explanation, other).concepts == SPACE.concepts


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04", "not JSON"),
        (b"[]", "an explanation is a JSON object"),
        (b'{"schema_version": 9}', "schema_version 9"),
        (b'{"schema_version": 1}', "not a valid explanation"),
    ],
)
def test_what_is_no_explanation_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_saved(data)


def test_states_that_differ_between_concepts_are_refused() -> None:
    explanation = made()
    food = explanation.concepts["food"]
    odd = replace(food, probabilities={"Positive": 1.0}, activations={"Positive": 1.0})
    data = replace(explanation, concepts={**explanation.concepts, "food": odd}).to_dict()
    with pytest.raises(InputError, match="different states"):
        read_saved(json.dumps(data).encode())


def test_a_text_that_is_too_long_is_refused_from_a_file_as_well() -> None:
    with pytest.raises(InputError, match="200,001 characters"):
        read_saved(json_text(made(text="x" * 200_001).to_dict()).encode())


def test_words_that_a_file_has_not_are_not_waited_for(start: Start) -> None:
    app = start()
    upload(app, made(text="Cold soup.").to_dict())
    assert UNSCORED in html(app, UNSCORED)
    assert pathway(app)["note"] == UNSCORED
    assert not app.get("progress")


def test_a_file_is_opened_and_said_to_be_this_model_s(start: Start) -> None:
    app = start()
    saved = explain(make_tiny("bert"), "A slow waiter.", "occlusion")
    upload(app, saved.to_dict())
    assert not app.exception
    assert shown_review(app) == app.text_area(key="review").value == "A slow waiter."
    assert "made by the model loaded here" in html(app, "Opened from a file")
    assert app.selectbox(key="method_choice").value == "occlusion"
    assert app.pills(key="state-food").label == "food"
    assert said(app) == sentence(app)
    assert app.query_params == {"method": "occlusion"}


def test_another_model_s_file_is_shown_as_saved_and_cannot_be_corrected(start: Start) -> None:
    app = start()
    upload(app, made(text="Cold soup.", scores=(1.0, 1.0)).to_dict())
    assert not app.exception
    assert sentence(app).startswith("good (62 %): food is Positive (+1.90)")
    assert f"made by another model, made ({'0' * 16})" in html(app, "Opened from a file")
    assert not [group for group in app.pills if str(group.key).startswith("state-")]
    app.button(key="explain").click().run()
    assert not html(app, "Opened from a file")
    assert app.pills(key="state-food").label == "food"


def test_a_file_that_is_none_leaves_the_page_and_says_so(start: Start) -> None:
    app = start()
    before = sentence(app)
    upload(app, {"schema_version": 1})
    assert "This file cannot be opened" in app.error[0].value
    assert sentence(app) == before


def upload(app: AppTest, data: dict[str, object]) -> None:
    app.file_uploader(key="open_saved").set_value(("why.json", json.dumps(data).encode(), "application/json"))
    app.run()

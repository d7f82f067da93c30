"""Every page, run as a visitor would, without a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.concepts import ConceptSpace
from tests.app.conftest import (
    CARD,
    CORRECTIONS,
    EXPLAIN,
    FIRST,
    MASKS,
    ROOT,
    SECOND,
    THREE_VIEWS,
    Start,
    chart,
    explain,
    html,
    pathway,
    said,
    sentence,
    shown_review,
)
from tests.tiny import make_tiny
from ui.frame import pages

TITLES = {
    EXPLAIN: "Why this label?",
    THREE_VIEWS: "Three views",
    MASKS: "Masks",
    CORRECTIONS: "Corrections",
    CARD: "Model card",
}


@pytest.mark.parametrize("page", TITLES)
def test_every_page_runs_without_an_exception(start: Start, page: str) -> None:
    app = start(page=page)
    assert not app.exception
    assert not app.error
    assert [title.value for title in app.title] == [TITLES[page]]


def test_a_fresh_start_has_an_example_explained(start: Start) -> None:
    app = start()
    assert app.text_area(key="review").value == FIRST["text"]
    assert re.match(r"^[1-4] \([\d.]+\): .+\.$", sentence(app))
    assert "words read" in html(app, 'class="sc-count"')
    assert 'class="sc-word ' in html(app, 'class="review"')
    assert app.query_params == {"example": FIRST["id"]}


def test_the_numbers_of_sentence_pathway_chart_and_table_are_the_same(start: Start) -> None:
    app = start()
    named = r"(food|service|noise)(?:, though \w+,)? (?:lifts it by|by|costs) (\d+\.\d)"
    told = dict(re.findall(named, sentence(app)))
    picture: Any = pathway(app)
    shown = {row["title"]: row["text"] for row in picture["concepts"]}
    figure: Any = chart(app, "contributions")
    bars = [re.sub("<[^>]*>", "", note["text"]) for note in figure["layout"]["annotations"]]
    names = [re.sub("<[^>]*>", "", name) for name in figure["layout"]["yaxis"]["ticktext"]]
    drawn = dict(zip(names, bars, strict=True))
    assert told
    for concept, number in told.items():
        assert shown[concept] == drawn[concept]
        assert shown[concept].lstrip("+−") == number
    assert f"({drawn['Expected']}):" in sentence(app)
    assert drawn["Average review"] == picture["base"]["text"]
    table = html(app, "Average review</td>")
    values = [float(value.replace("−", "-")) for value in re.findall(r'class="sc-right">([−\d.]+)<', table)]
    assert sum(values[:-1]) == pytest.approx(values[-1], abs=2e-4)


def test_the_chosen_concept_drives_every_part(start: Start) -> None:
    app = start()
    app.segmented_control(key="concept_choice").set_value("noise").run()
    picture: Any = pathway(app)
    assert picture["selected"] == "noise"
    assert picture["headings"]["words"] == "Words that matter for noise"
    figure: Any = chart(app, "contributions")
    assert "<b>noise</b>" in figure["layout"]["yaxis"]["ticktext"]
    assert chart(app, "subnetwork-noise")
    assert app.query_params["concept"] == "noise"


def test_the_address_is_followed_and_nonsense_in_it_ignored(start: Start) -> None:
    app = start(example="tyre-shop", concept="service", method="occlusion", other="1")
    assert str(app.text_area(key="review").value).startswith("Hidden behind a tyre shop")
    assert app.segmented_control(key="concept_choice").value == "service"
    assert app.selectbox(key="method_choice").value == "occlusion"
    odd = start(example="<script>", concept="price", method="magic")
    assert not odd.exception
    assert odd.query_params == {"example": FIRST["id"]}


def test_going_to_an_example_and_back_brings_ones_own_text_back(start: Start) -> None:
    app = explain(start(), "A slow waiter.")
    app.selectbox(key="example_choice").set_value(SECOND["id"]).run()
    assert app.text_area(key="review").value == SECOND["text"] == shown_review(app)
    # As the browser's Back does: the address from before, and a run that no widget asked for.
    del app.query_params["example"]
    app.run()
    assert app.text_area(key="review").value == "A slow waiter." == shown_review(app)
    assert app.selectbox(key="example_choice").value is None
    app.query_params["example"] = FIRST["id"]
    app.run()
    assert app.text_area(key="review").value == FIRST["text"] == shown_review(app)


def test_one_change_is_one_message_to_the_address(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.runtime.state.query_params import QueryParams

    app = start()
    sent: list[QueryParams] = []
    send = QueryParams._send_query_param_msg

    def count(parameters: QueryParams) -> None:
        sent.append(parameters)
        send(parameters)

    monkeypatch.setattr(QueryParams, "_send_query_param_msg", count)
    app.segmented_control(key="concept_choice").set_value("noise")
    app.selectbox(key="method_choice").set_value("occlusion")
    app.selectbox(key="example_choice").set_value(SECOND["id"]).run()
    assert app.query_params == {"example": SECOND["id"], "concept": "noise", "method": "occlusion"}
    assert len(sent) == 1


def test_the_address_keeps_what_is_not_ours_and_who_went_back_is_left_there(start: Start) -> None:
    app = start(other="1")
    assert app.query_params == {"example": FIRST["id"], "other": "1"}
    del app.query_params["example"]
    app.run()
    assert app.query_params == {"other": "1"}
    assert shown_review(app) == FIRST["text"]


def another_state(app: AppTest) -> None:
    """Correct the first concept to a state that the model does not find."""
    group = app.pills(key="state-food")
    group.set_value(next(name for name in ("Negative", "Positive") if name != group.value)).run()


def test_the_status_says_label_and_verdict_and_stays(start: Start) -> None:
    app = start()
    assert said(app) == sentence(app)
    another_state(app)
    verdict = re.sub("<[^>]*>", "", html(app, "sc-verdict").split("</p>")[0])
    assert said(app).startswith(f"{sentence(app)} {verdict} ")
    assert said(app).endswith("guard reviews are read as before.")
    app.button(key="clear").click().run()
    assert "press Explain" in said(app)


def test_two_sessions_at_once_keep_their_own_texts(start: Start) -> None:
    first, second = start(), start()
    explain(first, "The soup was cold.")
    explain(second, "The waiter was slow.")
    another_state(first)
    second.segmented_control(key="concept_choice").set_value("noise").run()
    first.run()
    assert (shown_review(first), shown_review(second)) == ("The soup was cold.", "The waiter was slow.")
    assert html(first, "sc-beforeafter")
    assert not html(second, "sc-beforeafter")
    assert not html(second, "The model with")
    assert "noise" not in str(first.query_params)


def test_the_review_is_never_in_the_address(start: Start) -> None:
    app = explain(start(), "A secret about the soup.")
    assert "secret" not in str(app.query_params)
    assert "example" not in app.query_params
    assert "secret" in html(app, 'class="review"')


@pytest.mark.parametrize("method", ["gradient", "input_x_gradient", "integrated_gradients", "occlusion"])
def test_every_token_method_colours_words(start: Start, method: str) -> None:
    app = start(method=method, concept="food")
    assert not app.exception
    picture: Any = pathway(app)
    assert picture["words"]
    sides = {word["side"] for word in picture["words"]}
    assert (sides == {"neutral"}) == (method == "gradient")
    assert all(word["text"][0] in "+−0" for word in picture["words"]) == (method != "gradient")


def test_why_one_label_and_not_another(start: Start) -> None:
    app = start()
    options = app.selectbox(key="against_choice").options
    app.selectbox(key="against_choice").set_value(options[0]).run()
    assert any(header.value.endswith(f"and not {options[0]}") for header in app.header)
    figure: Any = chart(app, "contributions")
    assert f"ahead of {options[0]}" in figure["layout"]["yaxis"]["ticktext"][-1]
    app.segmented_control(key="view_choice").set_value("plain").run()
    figure = chart(app, "contributions")
    assert figure["layout"]["yaxis"]["ticktext"][0] == "Fixed start"


def test_clear_empties_the_form(start: Start) -> None:
    app = start().button(key="clear").click().run()
    assert app.text_area(key="review").value == ""
    assert "press Explain" in html(app, 'class="sc-hint"')
    assert app.query_params == {}


def test_a_long_review_says_how_much_was_read(start: Start) -> None:
    app = start(example="breakdown-stew")
    assert re.search(r"first \d+ of 543 words read", html(app, 'class="sc-count"'))
    assert 'class="sc-unread"' in html(app, 'class="review"')


def test_what_is_set_survives_a_visit_to_the_other_page(start: Start) -> None:
    app = start(concept="noise")
    explain(app, "The waiter was slow and the soup was cold.")
    app.switch_page(CARD).run()
    app.switch_page(EXPLAIN).run()
    assert app.text_area(key="review").value == "The waiter was slow and the soup was cold."
    assert app.segmented_control(key="concept_choice").value == "noise"


def test_masks_counts_add_up_to_the_total_shown(start: Start) -> None:
    app = start(concept="food")
    table = html(app, ">Matrix</th>")
    rows = re.findall(r'<td class="sc-right">([\d,]+)</td><td class="sc-right">([\d,]+)</td>', table)
    assert "<tfoot>" in table
    kept = [int(row[0].replace(",", "")) for row in rows]
    assert sum(kept[:-1]) == kept[-1]
    assert f"{kept[-1]:,} of {rows[-1][1]} encoder weights" in html(app, "encoder weights (")


def test_a_dense_model_and_other_names_work_too(start: Start, tmp_path: Path) -> None:
    dense = make_tiny("bert", density=None)
    folder = tmp_path / "dense"
    dense.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["space"] = ConceptSpace(
        ("acting", "story", "sound"), ("Negative", "Positive", "unknown"), ("a", "b", "c", "d")
    ).to_dict()
    (folder / "config.json").write_text(json.dumps(config))
    app = explain(start(folder=folder), "The soup was cold.")
    assert not app.exception
    picture: Any = pathway(app)
    assert [row["name"] for row in picture["concepts"]] == ["acting", "story", "sound"]
    assert picture["concepts"][0]["mask"]["caption"] == "the whole encoder"
    assert not app.switch_page(CARD).run().exception


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "ui").rglob("*.py")]
    code = (
        f"import sys; from importlib import import_module; [import_module(name) for name in {modules}]; "
        "heavy = {'torch', 'transformers', 'pandas', 'captum', 'sklearn', 'pydantic'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_page_is_in_the_navigation_and_begins_by_its_own_name() -> None:
    # A new server runs what lies in "pages" in place of app.py; see tests/browser for what a visitor sees.
    assert {f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py")} == set(pages.TITLES)
    for page in pages.TITLES:
        own = f"pages.{Path(page).stem.upper()}"
        assert f"= app.begin({own}, " in (ROOT / page).read_text(encoding="utf-8")

"""Every page, run as a visitor would, without a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.concepts import ConceptSpace
from tests.app.conftest import METRICS, ROOT, chart, html, pathway
from tests.tiny import make_tiny

EXPLAIN, CARD = "pages/views/explain.py", "pages/views/model_card.py"
EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "reviews" / "examples.json"
FIRST = json.loads(EXAMPLES.read_text(encoding="utf-8"))["examples"][0]
Start = Callable[..., AppTest]


def sentence(app: AppTest) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html(app, 'class="sentence"').split("</p>")[0]))


def explain(app: AppTest, text: str) -> AppTest:
    app.text_area(key="review").set_value(text)
    return app.button(key="explain").click().run()


@pytest.mark.parametrize("page", [EXPLAIN, CARD])
def test_every_page_runs_without_an_exception(start: Start, page: str) -> None:
    app = start(page=page)
    assert not app.exception
    assert not app.error
    assert [title.value for title in app.title] == [{EXPLAIN: "Why this label?", CARD: "Model card"}[page]]


def test_a_fresh_start_has_an_example_explained(start: Start) -> None:
    app = start()
    assert app.text_area(key="review").value == FIRST["text"]
    assert re.match(r"^[1-4] \(.+ %\): .+\.$", sentence(app))
    assert "words read" in html(app, 'class="count"')
    assert 'class="word ' in html(app, 'class="review"')
    assert app.query_params == {"example": FIRST["id"]}


def test_the_numbers_of_sentence_pathway_chart_and_table_are_the_same(start: Start) -> None:
    app = start()
    told = dict(re.findall(r"(food|service|noise)[^()]* \(([+−]?[\d.]+)\)", sentence(app)))
    picture: Any = pathway(app)
    shown = {row["title"]: row["text"] for row in picture["concepts"]}
    figure: Any = chart(app, "contributions")
    bars = [re.sub("<[^>]*>", "", note["text"]) for note in figure["layout"]["annotations"]]
    names = [re.sub("<[^>]*>", "", name) for name in figure["layout"]["yaxis"]["ticktext"]]
    drawn = dict(zip(names, bars, strict=True))
    assert told
    for concept, number in told.items():
        assert shown[concept] == drawn[concept] == number
    assert drawn["Average review"] == picture["base"]["text"]
    table = html(app, "Average review</td>")
    values = [float(value.replace("−", "-")) for value in re.findall(r'class="right">([−\d.]+)<', table)]
    assert sum(values[:-1]) == pytest.approx(values[-1], abs=2e-4)


def test_the_chosen_concept_drives_every_part(start: Start) -> None:
    app = start()
    app.segmented_control(key="concept_choice").set_value("noise").run()
    picture: Any = pathway(app)
    assert picture["selected"] == "noise"
    assert picture["headings"]["words"] == "Words that matter for noise"
    figure: Any = chart(app, "contributions")
    assert "<b>noise</b>" in figure["layout"]["yaxis"]["ticktext"]
    assert chart(app, "mask-noise")
    assert app.query_params["concept"] == "noise"


def test_the_address_is_followed_and_nonsense_in_it_ignored(start: Start) -> None:
    app = start(example="tyre-shop", concept="service", method="occlusion", other="1")
    assert app.text_area(key="review").value.startswith("Hidden behind a tyre shop")
    assert app.segmented_control(key="concept_choice").value == "service"
    assert app.selectbox(key="method_choice").value == "occlusion"
    odd = start(example="<script>", concept="price", method="magic")
    assert not odd.exception
    assert odd.query_params == {"example": FIRST["id"]}


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
    assert picture["signed"] == (method != "gradient")


def test_another_state_shows_before_and_after_and_can_be_undone(start: Start) -> None:
    app = start()
    picture: Any = pathway(app)
    now = next(state["title"] for state in picture["concepts"][0]["states"] if state["on"])
    other = next(name for name in ("Negative", "Positive") if name != now)
    app.button(key=f"state-food-{other}").click().run()
    assert not app.exception
    card = html(app, "beforeafter")
    assert f"{other}, set by hand" in card
    assert "the model itself is unchanged" in card
    figure: Any = chart(app, "override")
    assert [trace["name"] for trace in figure["data"]] == ["Model", "With your change"]
    # The answer above and the model's own figures stay what they were.
    assert pathway(app) == picture
    app.button(key="undo").click().run()
    assert not html(app, "beforeafter")
    assert app.button(key="reset").disabled


def test_reset_takes_back_all_overrides(start: Start) -> None:
    app = start()
    for concept in ("food", "service"):
        for state in ("Negative", "Positive"):
            app.button(key=f"state-{concept}-{state}").click().run()
    assert html(app, "beforeafter")
    app.button(key="reset").click().run()
    assert not html(app, "beforeafter")


def test_another_text_starts_without_overrides(start: Start) -> None:
    app = start()
    app.button(key="state-food-Negative").click().run()
    app.button(key="state-food-Positive").click().run()
    explain(app, "The waiter was slow.")
    assert not html(app, "beforeafter")


def test_why_one_label_and_not_another(start: Start) -> None:
    app = start()
    options = app.selectbox(key="against_choice").options
    app.selectbox(key="against_choice").set_value(options[0]).run()
    assert any(header.value.endswith(f"and not {options[0]}") for header in app.header)
    figure: Any = chart(app, "contributions")
    assert f"ahead of {options[0]}" in figure["layout"]["yaxis"]["ticktext"][-1]
    app.segmented_control(key="relative_choice").set_value(False).run()
    figure = chart(app, "contributions")
    assert figure["layout"]["yaxis"]["ticktext"][0] == "Bias"


@pytest.mark.parametrize("text", ["", "   \n\t ", "\u200b"])
def test_an_empty_text_gives_a_hint(start: Start, text: str) -> None:
    app = explain(start(), text)
    assert not app.exception
    assert html(app, 'class="hint"')


def test_clear_empties_the_form(start: Start) -> None:
    app = start().button(key="clear").click().run()
    assert app.text_area(key="review").value == ""
    assert "press Explain" in html(app, 'class="hint"')
    assert app.query_params == {}


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script><img src=x onerror=alert(2)>",
        "😀😀 \u202eevil\u202c e\u0301 \x00 null",
        "=1+1 | `code` $x$ **bold** [a](javascript:alert(1))",
        "x" * 100_000,
        "The soup was cold. " * 5_300,
        "\n".join(["", "    indented", "", "# heading"]),
    ],
    ids=["markup", "signs", "formulas", "one endless word", "100,000 characters", "lines"],
)
def test_hostile_texts_are_explained_as_text(start: Start, text: str) -> None:
    app = explain(start(), text)
    assert not app.exception
    shown = html(app, 'class="review"')
    assert set(re.findall(r"<(\w+)", shown)) <= {"div", "span"}
    assert len(unescape(re.sub(r"<[^>]*>", "", shown))) == len(text)
    assert sentence(app)


def test_a_long_review_says_how_much_was_read(start: Start) -> None:
    app = start(example="breakdown-stew")
    assert re.search(r"first \d+ of 543 words read", html(app, 'class="count"'))
    assert 'class="unread"' in html(app, 'class="review"')


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
    rows = re.findall(r'<td class="right">([\d,]+)</td><td class="right">([\d,]+)</td>', table)
    kept = [int(row[0].replace(",", "")) for row in rows]
    assert sum(kept[:-1]) == kept[-1]
    assert f"{kept[-1]:,} of {rows[-1][1]} encoder weights" in html(app, "encoder weights (")


def test_a_missing_model_gives_one_clear_message(start: Start, tmp_path: Path) -> None:
    for page in (EXPLAIN, CARD):
        app = start(folder=tmp_path / "none", page=page)
        assert not app.exception
        assert len(app.error) == 1
        assert "The model cannot be loaded" in app.error[0].value
        assert "SPARSECBM_MODEL" in app.error[0].value


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("config.json", "{}"),
        ("model.safetensors", "x"),
        ("masks.safetensors", "x"),
        ("metrics.json", "{"),
    ],
)
def test_a_damaged_model_gives_one_clear_message(
    start: Start, model_folder: Path, tmp_path: Path, name: str, content: str
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "damaged")
    (folder / name).write_text(content)
    app = start(folder=folder)
    assert not app.exception
    assert len(app.error) == 1
    assert name.split(".")[0] in app.error[0].value.replace("\\", "")


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


def test_the_card_names_data_and_split_of_its_figures(start: Start) -> None:
    app = start(page=CARD)
    assert "CEBaB, development data, 1,673 reviews" in html(app, "All figures")
    tiles = html(app, 'class="tiles"')
    assert re.findall(r"<b>([\d.]+) %", tiles) == ["87.6", "70.0", "81.6", "65.0", "10.0"]
    lead = unescape(html(app, "of 100 labels"))
    assert "51 of 100 labels follow from the concepts' states alone. The model gets 70: the other 19" in lead
    assert "train_inclusive, 9,848 reviews" in html(app, "train_inclusive, ")
    assert "/somewhere" not in html(app, "minilm")
    app.segmented_control(key="split_choice").set_value("guard").run()
    assert not app.exception
    assert "guard reviews, 243 reviews" in html(app, "All figures")
    assert "CEBaB" not in html(app, "All figures")


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"dev": {}},
        {"dev": None},
        {"dev": dict.fromkeys(METRICS["dev"])},
        {"odd": {"per_concept": {"food": {}}}},
    ],
)
def test_the_card_copes_with_what_was_not_measured(
    start: Start, model_folder: Path, tmp_path: Path, metrics: dict[str, Any]
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "bare")
    (folder / "metrics.json").write_text(json.dumps(metrics))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "training": {}}))
    app = start(folder=folder, page=CARD)
    assert not app.exception
    assert not app.error


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    modules = "answer, card, correct, downloads, how, loader, masks, parts, pathway, review_form, state"
    code = (
        f"import sys; from ui import {modules}; from sparsecbm_core.explain.tokens.registry import METHODS; "
        "heavy = {'torch', 'transformers', 'pandas', 'captum', 'sklearn', 'pydantic'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_page_but_the_first_can_be_the_first_one_visited() -> None:
    # Streamlit looks for it in "pages" before app.py has run; see tests/browser for what a visitor sees.
    pages = {path.stem for path in (ROOT / "pages" / "views").glob("*.py")} - {"explain"}
    assert {path.stem for path in (ROOT / "pages").glob("*.py")} == pages
    for name in pages:
        assert "app.py" in (ROOT / "pages" / f"{name}.py").read_text(encoding="utf-8")

"""A label that is called as a state is: each is shown by a title of its own, wherever it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.concepts import CEBAB, IMDB_ALL_CONCEPTS, imdb_space
from sparsecbm_core.evaluate.trust.results import Accuracy
from sparsecbm_core.explain import explain
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import before_after_figure, breakdown, case_study_html, dose_figure
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.dose import DosePoint, DoseResponse
from sparsecbm_core.intervene.guard import Change, GuardReport, Tally
from sparsecbm_core.intervene.oracle import oracle
from sparsecbm_core.intervene.results import Reading
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.prompted.prompt import Prompt
from tests.app.conftest import Start, chart, html, pathway, said, sentence
from tests.app.films import FILMS, save_films
from tests.reports import near, score
from tests.tiny import REVIEW, make_tiny
from ui.correct import corrected, side_effects
from ui.correct.override import result_html, verdict
from ui.correct.report import by_hand_html
from ui.explain.report import report_html
from ui.explain.saved import space_of
from ui.model_card import accuracy
from ui.model_card.doubt import LIMITS
from ui.model_card.doubts_answers import accuracy as doubts
from ui.widgets.sentence import adds_up, runner_up

SPACE = imdb_space(IMDB_ALL_CONCEPTS)
TITLES = ("Negative review", "Positive review")
Films = Callable[..., AppTest]


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_films(tmp_path_factory.mktemp("models") / FILMS)


@pytest.fixture(scope="module")
def model() -> ConceptModel:
    return make_tiny("bert", seed=1, space=SPACE)


@pytest.fixture(scope="module")
def why(model: ConceptModel) -> Explanation:
    return explain(model, REVIEW, "gradient")


def test_the_page_says_review_of_labels_and_not_of_states(start: Start, films: Path) -> None:
    app = start(films).selectbox(key="rule_choice").set_value("override").run()
    picture: Any = pathway(app)
    assert tuple(row["title"] for row in picture["labels"]) == TITLES
    assert {state["title"] for row in picture["concepts"] for state in row["states"]} == {
        "Negative",
        "Positive",
        "Not mentioned",
    }
    found = next(row["title"] for row in picture["labels"] if row["on"])
    (other,) = set(TITLES) - {found}
    assert sentence(app).startswith(f"{found} (")
    assert said(app).startswith(f"{found} (")
    assert f"{found} is " in html(app, 'class="answer"')
    assert f"Why {found}" in [header.value for header in app.header]
    assert app.selectbox(key="against_choice").options == [other]
    assert html(app, "green and + lift the answer, dashed amber and − cost")
    assert html(app, "A step to the right lifts the answer, ")
    table = html(app, "Probabilities of all states and labels")
    assert [table.count(f">{title}<") for title in (*TITLES, "Negative", "Positive")] == [1, 1, 8, 8]
    sum_: Any = chart(app, "contributions")
    assert "<b>Expected points</b>" in sum_["layout"]["yaxis"]["ticktext"]
    app.segmented_control(key="view_choice").set_value("relative").run()
    sum_ = chart(app, "contributions")
    assert f"<b>Score of {found}</b>" in sum_["layout"]["yaxis"]["ticktext"]
    assert html(app, f"A step to the right speaks for {found}, ")
    wanted = next(name for name in ("Negative", "Positive") if f"{name} review" != found)
    app.selectbox(key="against_choice").set_value(wanted).run()
    assert f"Why {found} and not {other}" in [header.value for header in app.header]
    app.pills(key="hand-acting").set_value("Negative").run()
    card = html(app, "Before and after")
    assert f"{found}, <span" in card
    assert "Negative, set by hand" in card or "Negative, confirmed by hand" in card
    bars: Any = chart(app, "override")
    assert set(TITLES) <= set(json.dumps(bars).replace("<b>", '"').replace("</b>", '"').split('"'))


def test_the_sentence_and_the_sum_name_the_label(why: Explanation) -> None:
    title = SPACE.label_title(why.label)
    assert adds_up(why, SPACE).count(title) == 1
    assert breakdown(why, SPACE).total_title == f"Score of {title}"
    against = next(name for name in SPACE.labels if name != why.label)
    both = breakdown(why, SPACE, against=against).total_title
    assert both == f"{title} ahead of {SPACE.label_title(against)}"
    close = Explanation(**{**vars(why), "probabilities": {why.label: 0.51, against: 0.49}})
    said = str(runner_up(close, SPACE))
    assert said.startswith("A close call: ")
    assert SPACE.label_title(against) in said


def test_the_report_and_what_is_set_by_hand_name_the_label(model: ConceptModel, why: Explanation) -> None:
    result = oracle(model, why, {"acting": "Negative"})
    title, after = SPACE.label_title(result.label), SPACE.label_title(result.label_after)
    assert verdict(result, SPACE).endswith(f" {after}.")
    table = result_html(result, why, SPACE)
    assert f"{title}, <span" in table
    assert '<td class="sc-after">Negative, ' in table
    page = report_html(why, SPACE, "films", corrections=by_hand_html(result, why, SPACE))
    assert f"<h2>Why {title}</h2>" in page
    assert f'<span class="sc-label">{title}</span>' in page
    assert "review" in str(before_after_figure(result, SPACE).to_json())


def test_a_correction_and_its_side_effects_name_the_label(model: ConceptModel, why: Explanation) -> None:
    wanted = "Negative" if why.concepts["acting"].state != "Negative" else "Positive"
    done = intervene(model, REVIEW, "acting", wanted, rule="signed")
    assert f" {SPACE.label_title(done.after.label)} (" in corrected.verdict(done, SPACE)
    assert corrected.verdict(done, SPACE).endswith(" points).")
    table = corrected.table_html(done, SPACE)
    label, concept = table.split("<tr>")[3], table.split("<tr>")[2]
    assert label.count(" review, <span") == 3
    assert " review" not in concept
    none = Tally(1, 0, 1, 0, 0.0, 1.0)
    changes = (
        Change("a", "label", "Positive", "Negative", "Positive", "fixed"),
        Change("a", "acting", "Positive", "Negative", "Positive", "fixed"),
    )
    rows = side_effects.change_rows(GuardReport("films", 1, none, none, none, changes), {}, SPACE)
    assert [(row["of"], row["before"], row["now"], row["right"]) for row in rows] == [
        ("Label", "Negative review", "Positive review", "Positive review"),
        ("Acting", "Negative", "Positive", "Positive"),
    ]


def test_the_card_names_the_label() -> None:
    states = score(SPACE.states, accuracy=0.5)
    found = Accuracy(
        score(SPACE.labels, accuracy=0.5), dict.fromkeys(SPACE.concepts, states), near(0.9), near(0.9), 9
    )
    rows = accuracy.class_rows(found, SPACE)
    assert [row["answer"] for row in rows[:5]] == [*TITLES, "Negative", "Positive", "Not mentioned"]
    told = {doubt.about: doubt.text for doubt in doubts(found, 400, SPACE, LIMITS)}
    assert "always saying “Negative review”" in told["The label: no better than one answer for all."]
    assert "always saying “Negative” in" in told["Concepts read no better than by one answer for all."]


def test_figures_name_the_label() -> None:
    reading = Reading(
        "Positive", {"Negative": 0.2, "Positive": 0.8}, "Negative", dict.fromkeys(SPACE.labels, 0.5)
    )
    points = tuple(DosePoint(n, n / 100, reading, None, None) for n in (0, 1, 10))
    dose = DoseResponse("f" * 16, "acting", "Positive", "guarded", 0, 100, 1, 0, points, 1.0)
    assert [line.name for line in dose_figure(dose, SPACE).data] == [
        "Acting is Positive",
        "Negative review, as before",
    ]
    said_ = {"label": "Negative", "labels": {"Negative": 0.7}, "states": {"acting": "Negative"}, "words": []}
    case = {
        "text": "Dull.",
        "concept": "acting",
        "state": "Positive",
        "gold_label": "Positive",
        **dict.fromkeys(("before", "oracle", "after"), said_),
        **dict.fromkeys(("dropped", "grown", "prunable_weights"), 1),
        "matrices": [],
    }
    page = case_study_html([case], SPACE.titles, SPACE.label_titles)
    assert "Acting is Positive, read as Negative<" in page
    assert page.count("Label: <b>Negative review</b>; a reader gives Positive review.") == 3


def test_a_language_model_is_told_what_the_labels_mean() -> None:
    lines = Prompt(SPACE).instructions().splitlines()
    assert [line for line in lines if line.endswith("review") and line.startswith("- ")] == [
        '- "Negative": Negative review',
        '- "Positive": Positive review',
    ]
    assert '- "4": 4 of 5 stars' in Prompt(CEBAB).instructions().splitlines()


def test_an_explanation_from_a_file_keeps_the_titles(why: Explanation) -> None:
    assert space_of(why, SPACE) is SPACE
    fewer = imdb_space(("acting", "storyline"))
    assert space_of(why, fewer).label_title("Positive") == "Positive review"

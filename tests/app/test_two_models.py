"""Two models in one app: a visitor picks one, and everything that belongs to it follows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS
from sparsecbm_core.ledger import Ledger
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.session.correction import Correction
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
    explain,
    html,
    pathway,
    shown_review,
)
from tests.app.films import FILMS, TITLE, both, save_films
from tests.app.kept import a_patch, rows, state_of, unfolded

MENU, FOOD, FOOD_TITLE = "model_choice", "tiny", "Restaurants (MiniLM)"
FILM, FILM_TOO = json.loads((ROOT / "assets/reviews/examples-films.json").read_text(encoding="utf-8"))[
    "examples"
][:2]
PAGES = (EXPLAIN, THREE_VIEWS, MASKS, CORRECTIONS, CARD)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_films(tmp_path_factory.mktemp("models") / FILMS)


@pytest.fixture
def two(start: Start, model_folder: Path, films: Path) -> Start:
    """Starts the app with both models; the one of restaurants is the default."""

    def begin(page: str | None = None, **parameters: str) -> AppTest:
        return start(folder=both(model_folder, films), page=page, **parameters)

    return begin


@pytest.fixture
def food(model_folder: Path) -> Callable[[int], Correction]:
    """Corrections of the model of restaurants."""
    model = ConceptModel.from_pretrained(model_folder, "cpu")
    return lambda seed: Correction(a_patch(model, seed))


def pick(app: AppTest, name: str) -> AppTest:
    return app.selectbox(key=MENU).set_value(name).run()


def menu(app: AppTest) -> tuple[list[str], str]:
    """What the picker offers, and what is chosen in it."""
    found = app.selectbox(key=MENU)
    return found.options, found.value


def concepts(app: AppTest) -> tuple[str, ...]:
    picture: Any = pathway(app)
    return tuple(row["name"] for row in picture["concepts"])


def problems(app: AppTest) -> list[str]:
    bodies = (str(part.proto.body) for part in app.get("html"))
    return [body for body in bodies if body.startswith('<p class="sc-problem">')]


@pytest.mark.parametrize("page", PAGES)
def test_one_model_needs_no_picker_and_no_name_in_the_address(start: Start, page: str) -> None:
    app = start(page=page)
    assert not [box for box in app.selectbox if box.key == MENU]
    assert "model" not in app.query_params
    assert problems(app) == []


def test_the_picker_is_at_the_top_of_every_page_and_the_choice_goes_along(two: Start) -> None:
    app = two()
    assert menu(app) == ([FOOD_TITLE, TITLE], FOOD)
    assert app.query_params == {"model": FOOD, "example": FIRST["id"]}
    pick(app, FILMS)
    for page in (MASKS, CORRECTIONS, CARD, EXPLAIN):
        app.switch_page(page).run()
        assert not app.exception
        assert menu(app) == ([FOOD_TITLE, TITLE], FILMS)
        assert app.query_params["model"] == FILMS
    assert concepts(app) == IMDB_ALL_CONCEPTS
    assert app.text_area(key="review").value == FILM["text"] == shown_review(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_model_can_be_picked_on_any_page_and_survives_a_reload(two: Start, page: str) -> None:
    app = pick(two(page=page), FILMS)
    assert not app.exception
    assert app.selectbox(key=MENU).value == FILMS
    again = two(**app.query_params)
    assert again.selectbox(key=MENU).value == FILMS
    assert concepts(again) == IMDB_ALL_CONCEPTS


def test_examples_and_concepts_are_those_of_the_picked_model(two: Start) -> None:
    app = two(concept="service", example=SECOND["id"])
    pick(app, FILMS)
    assert concepts(app) == IMDB_ALL_CONCEPTS
    assert FILM_TOO["title"] in app.selectbox(key="example_choice").options
    assert FIRST["title"] not in app.selectbox(key="example_choice").options
    assert app.query_params == {"model": FILMS, "example": FILM["id"]}
    app.selectbox(key="example_choice").set_value(FILM_TOO["id"]).run()
    assert shown_review(app) == FILM_TOO["text"]
    app.segmented_control(key="concept_choice").set_value("soundtrack").run()
    pick(app, FOOD)
    assert app.query_params == {"model": FOOD, "example": SECOND["id"], "concept": "service"}
    pick(app, FILMS)
    assert app.query_params == {"model": FILMS, "example": FILM_TOO["id"], "concept": "soundtrack"}


def test_a_review_that_was_typed_stays_in_the_box(two: Start) -> None:
    app = pick(explain(two(), "The soup was cold, the music was great."), FILMS)
    assert app.text_area(key="review").value == "The soup was cold, the music was great." == shown_review(app)
    assert concepts(app) == IMDB_ALL_CONCEPTS
    assert app.query_params == {"model": FILMS}


def test_the_address_is_followed_and_going_back_brings_the_model_back(two: Start) -> None:
    app = two(model=FILMS, example=FILM_TOO["id"], concept="editing")
    assert shown_review(app) == FILM_TOO["text"]
    assert app.segmented_control(key="concept_choice").value == "editing"
    pick(app, FOOD)
    # As the browser's Back does: the address from before, and a run that no widget asked for.
    app.query_params["model"], app.query_params["example"] = FILMS, FILM_TOO["id"]
    app.run()
    assert menu(app)[1] == FILMS
    assert shown_review(app) == FILM_TOO["text"]
    app.switch_page(CARD).run()
    app.query_params["model"] = FOOD
    app.run()
    assert menu(app)[1] == FOOD
    del app.query_params["model"]  # to where the page was before its address named a model
    app.run()
    assert menu(app)[1] == FOOD


def test_an_unknown_name_gives_one_line_and_the_default_model(two: Start, start: Start) -> None:
    app = two(model="<b>none</b>" * 20, example=SECOND["id"])
    (line,) = problems(app)
    assert "&lt;b&gt;none" in line
    assert f"this is {FOOD_TITLE}. An address can name: {FOOD}, {FILMS}." in line
    assert len(line) < 300
    assert menu(app)[1] == FOOD
    assert app.query_params == {"model": FOOD, "example": SECOND["id"]}
    assert problems(app.run()) == [line]  # a run of the app's own does not take it away
    assert problems(pick(app, FILMS)) == []
    (line,) = problems(start(model="none"))
    assert f"An address can name: {FOOD}." in line


def test_each_model_has_its_own_corrections(two: Start, food: Callable[[int], Correction]) -> None:
    app = two()
    base: Any = pathway(app)
    state_of(app).work.take_over(food(0))
    app.run()
    corrected: Any = pathway(app)
    assert "with 1 correction" in html(app, "The model with")
    assert corrected["concepts"][0]["mask"] != base["concepts"][0]["mask"]
    pick(app, FILMS)
    assert html(app, "The model with") == ""
    app.switch_page(CORRECTIONS).run()
    assert rows(app, "step") == []
    assert not app.exception
    pick(app, FOOD)
    assert len(rows(app, "step")) == 1
    app.switch_page(EXPLAIN).run()
    assert pathway(app) == corrected
    app.button(key="undo").click().run()
    assert pathway(app) == base
    assert not app.button(key="redo").disabled


def test_what_is_kept_is_offered_to_its_own_model_and_named_elsewhere(
    two: Start, ledger: Ledger, food: Callable[[int], Correction]
) -> None:
    ledger.add(food(0).patch)
    app = two()
    assert "1 kept correction is not in use here" in html(app, "kept correction")
    pick(app, FILMS)
    assert html(app, "kept correction") == ""
    app.switch_page(CORRECTIONS).run()
    assert rows(app) == []
    unfolded(app, "other_models")
    assert f"<td>{FOOD_TITLE}</td>" in html(app, "Corrections of other models")
    pick(app, FOOD)
    assert len(rows(app)) == 1


def test_guard_reviews_of_ones_own_stay_with_the_model_they_were_opened_for(two: Start) -> None:
    app = two()
    csv = b"text,label,food,service,noise\nCold soup.,1,Negative,,\n"
    app.file_uploader(key="guard_file").set_value([("mine.csv", csv, "text/csv")]).run()
    assert "1 review of mine.csv is on guard" in html(app, "on guard")
    pick(app, FILMS)
    assert html(app, "on guard") == ""
    assert not app.file_uploader(key="guard_file-1").value
    pick(app, FOOD)
    assert "mine.csv" in html(app, "on guard")


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_folder_is_named_beside_the_title_and_the_others_work(
    start: Start, model_folder: Path, films: Path, tmp_path: Path, page: str
) -> None:
    damaged = Path(shutil.copytree(films, tmp_path / "damaged"))
    (damaged / "model.safetensors").write_bytes(b"x")
    app = start(folder=both(damaged, model_folder, films), page=page)
    assert not app.exception
    assert not app.error
    (line,) = problems(app)
    assert line.startswith(f'<p class="sc-problem">Not offered: {damaged / "model.safetensors"} is damaged')
    assert menu(app) == ([FOOD_TITLE, TITLE], FOOD)
    assert not pick(app, FILMS).exception


def test_a_model_that_shows_its_damage_only_when_it_is_loaded_leaves_the_choice_of_another(
    start: Start, model_folder: Path, films: Path, tmp_path: Path
) -> None:
    damaged = Path(shutil.copytree(films, tmp_path / "damaged"))
    shutil.copy(model_folder / "masks.safetensors", damaged)
    app = start(folder=both(damaged, model_folder))
    assert not app.exception
    assert "Choose another model above" in app.error[0].value
    pick(app, FOOD)
    assert not app.error
    assert concepts(app) == ("food", "service", "noise")

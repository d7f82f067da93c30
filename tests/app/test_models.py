"""Which models are offered: those of the app and of the environment, in order, without the damaged ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sparsecbm_core.concepts import CEBAB, IMDB_ALL_CONCEPTS, imdb_space
from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.record import FILES, MASKS
from tests.app.films import TITLE, both, save_films
from ui.resources import guard_reviews
from ui.resources.examples import examples_for
from ui.resources.known import model_title
from ui.resources.models import Offer, card, offered

Offered = Callable[..., Offer]


@pytest.fixture
def models(tmp_path: Path, model_folder: Path) -> Path:
    """The app's own folder, with the models "a" and "cebab-minilm", and what is no model."""
    folder = tmp_path / "models"
    for name in ("a", "cebab-minilm", ".a.half-written"):
        shutil.copytree(model_folder, folder / name)
    (folder / "empty").mkdir()
    (folder / "README.md").write_text("no folder")
    return folder


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, models: Path) -> Offered:
    """What is offered where the environment names ``folders``."""

    def look(*folders: Path, app: Path = models) -> Offer:
        monkeypatch.setenv("SPARSECBM_MODEL", both(*folders))
        monkeypatch.setattr("ui.resources.models.MODELS", app)
        return offered()

    return look


def test_the_restaurants_come_first_and_what_is_no_model_is_passed_over(found: Offered) -> None:
    offer = found()
    assert (list(offer.cards), offer.default, offer.problems) == (["cebab-minilm", "a"], "cebab-minilm", ())


def test_folders_of_the_environment_come_first_and_once(found: Offered, models: Path, tmp_path: Path) -> None:
    films = save_films(tmp_path / "films")
    offer = found(films, models / "a", films)
    assert (list(offer.cards), offer.default) == (["films", "a", "cebab-minilm"], "films")
    assert offer.cards["films"].title == TITLE


def test_names_and_titles_tell_all_of_them_apart(found: Offered, models: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(models / "a", tmp_path / "elsewhere" / "a"))
    cards = found(other).cards
    assert {name: card.folder for name, card in cards.items()} == {
        "a": other,
        "cebab-minilm": models / "cebab-minilm",
        "a-2": models / "a",
    }
    assert [card.title for card in cards.values()] == [
        f"Restaurants (MiniLM), {name}" for name in ("a", "cebab-minilm", "a-2")
    ]


def test_models_without_a_title_of_their_own_are_called_by_their_names(
    found: Offered, models: Path, tmp_path: Path
) -> None:
    for folder in (tmp_path / "one" / "mine", tmp_path / "two" / "mine"):
        shutil.copytree(models / "a", folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "training": {}}))
    titles = {name: card.title for name, card in found(*(tmp_path.glob("*/mine"))).cards.items()}
    assert (titles["mine"], titles["mine-2"]) == ("mine", "mine-2")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "masks.safetensors", "metrics.json"])
def test_a_damaged_folder_is_named_in_one_line_and_breaks_nothing(
    found: Offered, models: Path, name: str
) -> None:
    whole = (models / "a" / name).read_bytes()
    (models / "a" / name).write_bytes(whole[: len(whole) // 2])
    offer = found()
    assert list(offer.cards) == ["cebab-minilm"]
    (problem,) = offer.problems
    assert f"{models / 'a' / name} is damaged" in problem
    assert "\n" not in problem


@pytest.mark.parametrize("name", [*FILES, MASKS])
def test_a_folder_that_lacks_a_file_is_named(found: Offered, models: Path, name: str) -> None:
    (models / "cebab-minilm" / name).unlink()
    offer = found()
    assert list(offer.cards) == ["a"]
    assert offer.problems[0].startswith(str(models / "cebab-minilm"))
    assert f"{name} is missing" in offer.problems[0]


@pytest.mark.parametrize(
    "space", [3, "food", {"concepts": ["food"]}, {"concepts": [], "states": [], "labels": []}]
)
def test_concepts_that_cannot_be_read_are_named(found: Offered, models: Path, space: object) -> None:
    config = json.loads((models / "a" / "config.json").read_text())
    (models / "a" / "config.json").write_text(json.dumps({**config, "space": space}))
    offer = found()
    assert list(offer.cards) == ["cebab-minilm"]
    assert "config.json is not usable" in offer.problems[0]


def test_a_folder_that_is_not_there_is_named_and_the_others_are_offered(
    found: Offered, tmp_path: Path
) -> None:
    offer = found(tmp_path / "nothing")
    assert list(offer.cards) == ["cebab-minilm", "a"]
    assert offer.problems == (f"{tmp_path / 'nothing'} is not a model folder: config.json is missing",)


def test_without_any_model_the_line_says_where_one_is_looked_for(found: Offered, tmp_path: Path) -> None:
    offer = found(app=tmp_path / "nothing")
    assert (dict(offer.cards), offer.problems) == (
        {},
        (f"There is no model folder in {tmp_path / 'nothing'}",),
    )


def test_a_model_is_known_by_its_fingerprint_wherever_it_lies(models: Path) -> None:
    one, other = card(models / "a"), card(models / "cebab-minilm")
    assert one.identity == other.identity == one.fingerprint
    config = json.loads((models / "a" / "config.json").read_text())
    del config["fingerprint"]
    for name in ("a", "cebab-minilm"):
        (models / name / "config.json").write_text(json.dumps(config))
    one, other = card(models / "a"), card(models / "cebab-minilm")
    assert one.fingerprint is None
    assert one.identity != other.identity


def test_a_standard_classifier_is_refused(models: Path) -> None:
    config = json.loads((models / "a" / "config.json").read_text())
    (models / "a" / "config.json").write_text(json.dumps({**config, "kind": "standard"}))
    with pytest.raises(CheckpointError, match="no concepts to explain"):
        card(models / "a")


@pytest.mark.parametrize("data", ["IMDB-C", "IMDB-C manual", "IMDB-C generated"])
def test_a_model_of_film_reviews_is_called_by_what_it_reads(data: str) -> None:
    training = {"data": data, "settings": {"backbone": "somewhere/all-MiniLM-L6-v2"}}
    assert model_title("imdb-minilm", training) == TITLE


def test_examples_and_guard_reviews_are_those_that_speak_of_the_model_s_concepts() -> None:
    films = imdb_space(IMDB_ALL_CONCEPTS)
    assert next(iter(examples_for(films.concepts))) == "skip-it"
    assert next(iter(examples_for(CEBAB.concepts))) == "superb-lamb"
    assert not {item.text for item in examples_for(films.concepts).values()} & {
        item.text for item in examples_for(CEBAB.concepts).values()
    }
    assert examples_for(("price",)) == {}
    of_films, of_restaurants = guard_reviews.bundled(films), guard_reviews.bundled(CEBAB)
    assert of_films is not None
    assert of_restaurants is not None
    assert of_films.space.concepts == IMDB_ALL_CONCEPTS
    assert of_restaurants.space.concepts == CEBAB.concepts
    named = guard_reviews.known_texts(films)
    assert (named["guard-001"].text, named["superb-cast"].id) == (of_films.texts[0], "superb-cast")

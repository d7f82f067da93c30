"""Two models in a real browser: picked, kept over pages and reloads, and found again by going back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS
from tests.app.films import TITLE, both, save_films
from tests.browser.harness import axe, both_themes, settle, visit
from tests.browser.test_explain import BUNDLED, app_env

__all__ = ["app_env"]
StartServer = Callable[..., str]
FILMS = "imdb-minilm"
OPENING = {"restaurants": "The lamb was superb", "films": "Great cast, silly plot."}


@pytest.fixture
def two_models(fresh_server: StartServer, app_env: dict[str, str], tmp_path: Path) -> str:
    """The address of an app whose default is the model of restaurants, with one of films beside it: the app's
    own, or a tiny one where it has none."""
    if (BUNDLED.parent / FILMS / "config.json").is_file():
        return fresh_server()
    restaurants = Path(app_env.get("SPARSECBM_MODEL", BUNDLED))
    return fresh_server(SPARSECBM_MODEL=both(restaurants, save_films(tmp_path / FILMS)))


def menu(page: Page, title: str) -> None:
    """Check which model the menu beside the title shows."""
    expect(page.locator(".st-key-model_choice input")).to_have_value(title)


def pick(page: Page, title: str) -> None:
    page.locator(".st-key-model_choice").get_by_role("button").last.click()
    page.get_by_role("option", name=title, exact=True).click()
    settle(page)


def open_page(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()
    settle(page)


def shows_films(page: Page) -> None:
    menu(page, TITLE)
    expect(page.locator(".review")).to_contain_text(OPENING["films"])
    names = page.locator(".st-key-concept_choice").get_by_role("radio").all_inner_texts()
    assert [name.casefold() for name in names] == list(IMDB_ALL_CONCEPTS)
    assert f"model={FILMS}" in page.url


@both_themes
def test_the_other_model_is_picked_and_stays_over_pages_and_a_reload(two_models: str, page: Page) -> None:
    visit(page, two_models)
    expect(page.locator(".review")).to_contain_text(OPENING["restaurants"])
    pick(page, TITLE)
    shows_films(page)
    assert axe(page) == []
    open_page(page, "Model card")
    menu(page, TITLE)
    expect(page.get_by_text("Reads 8 concepts from a text")).to_be_visible()
    assert axe(page) == []
    page.reload()
    settle(page)
    menu(page, TITLE)
    open_page(page, "Explain")
    shows_films(page)
    page.reload()
    settle(page)
    shows_films(page)


def test_going_back_brings_the_model_back_with_its_review(two_models: str, page: Page) -> None:
    visit(page, two_models)
    pick(page, TITLE)
    shows_films(page)
    page.go_back()
    expect(page.locator(".review")).to_contain_text(OPENING["restaurants"])
    page.go_forward()
    expect(page.locator(".review")).to_contain_text(OPENING["films"])
    settle(page)
    shows_films(page)


def test_what_was_typed_stays_when_the_model_changes(two_models: str, page: Page) -> None:
    visit(page, two_models)
    field = page.get_by_label("Review", exact=True)
    field.fill("The soup was cold.")
    page.get_by_role("button", name="Explain", exact=True).click()
    settle(page)
    field.fill("The soup was cold, and more of this was never sent.")
    pick(page, TITLE)
    expect(field).to_have_value("The soup was cold, and more of this was never sent.")
    expect(page.locator(".review")).to_have_text("The soup was cold.")

"""Two models in a real browser: picked, kept over pages and reloads, and found again by going back."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from benchmarks.browser import settle, visit
from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS
from tests.app.films import FILMS
from tests.browser.checks import axe
from tests.browser.models import FILMS_TITLE
from tests.browser.steps import explain

OPENING = {"restaurants": "The lamb was superb", "films": "Great cast, silly plot."}


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
    menu(page, FILMS_TITLE)
    expect(page.locator(".review")).to_contain_text(OPENING["films"])
    names = page.locator(".st-key-concept_choice").get_by_role("radio").all_inner_texts()
    assert [name.casefold() for name in names] == list(IMDB_ALL_CONCEPTS)
    assert f"model={FILMS}" in page.url


def test_the_other_model_is_picked_and_stays_over_pages_and_a_reload(server: str, page: Page) -> None:
    visit(page, server)
    expect(page.locator(".review")).to_contain_text(OPENING["restaurants"])
    pick(page, FILMS_TITLE)
    shows_films(page)
    assert axe(page) == []
    open_page(page, "Model card")
    menu(page, FILMS_TITLE)
    expect(page.get_by_text("Reads 8 concepts from a text")).to_be_visible()
    assert axe(page) == []
    page.reload()
    settle(page)
    menu(page, FILMS_TITLE)
    open_page(page, "Explain")
    shows_films(page)
    page.reload()
    settle(page)
    shows_films(page)


def test_going_back_brings_the_model_back_with_its_review(server: str, page: Page) -> None:
    visit(page, server)
    pick(page, FILMS_TITLE)
    shows_films(page)
    page.go_back()
    expect(page.locator(".review")).to_contain_text(OPENING["restaurants"])
    page.go_forward()
    expect(page.locator(".review")).to_contain_text(OPENING["films"])
    settle(page)
    shows_films(page)


def test_what_was_typed_stays_when_the_model_changes(server: str, page: Page) -> None:
    visit(page, server)
    field = page.get_by_label("Review", exact=True)
    explain(page, "The soup was cold.")
    field.fill("The soup was cold, and more of this was never sent.")
    pick(page, FILMS_TITLE)
    expect(field).to_have_value("The soup was cold, and more of this was never sent.")
    expect(page.locator(".review")).to_have_text("The soup was cold.")

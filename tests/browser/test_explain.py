"""The Explain page in a real browser, and what holds for every page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from benchmarks.browser import VIEWPORT, settle, visit
from tests.browser.checks import WIDTHS, axe, open_all, too_wide
from tests.browser.conftest import StartServer
from tests.browser.steps import (
    FOCUSED,
    change,
    concepts,
    explain,
    only_override,
    selected,
    tab_to,
    tab_until,
)

# The Corrections page is looked at with corrections in it, in tests of its own.
TITLES = {
    "/": "Why this label?",
    "/three_views": "Three views",
    "/masks": "Masks",
    "/model_card": "Model card",
}
COLD = ["/masks?concept=noise"]
COLD_TOO = ["/?concept=noise&method=gradient", "/", "/three_views", "/masks", "/model_card", "/corrections"]


@pytest.mark.parametrize(
    "path", [*COLD, *(pytest.param(path, marks=pytest.mark.exhaustive) for path in COLD_TOO)]
)
def test_a_cold_deep_link_opens_that_page(fresh_server: StartServer, page: Page, path: str) -> None:
    visit(page, fresh_server() + path)
    heading = {**TITLES, "/corrections": "Corrections"}[path.split("?")[0]]
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("Page not found")).to_have_count(0)
    for name in ("Explain", "Model card"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    if path.startswith("/?"):
        assert "concept=noise" in page.url
        assert selected(page).lower() == "noise"
    elif "?" in path:
        expect(page.get_by_role("heading", name="Noise, as loaded")).to_be_visible()


def test_a_typed_review_gets_its_label_and_pathway(server: str, page: Page) -> None:
    visit(page, server)
    explain(page, "The soup was cold and the waiter was rude.")
    expect(page.locator(".review")).to_have_text("The soup was cold and the waiter was rude.")
    expect(page.locator(".sc-count")).to_have_text("9 words, all read")
    expect(page.locator(".answer .sentence")).to_be_visible()
    assert "soup" not in page.url
    assert "example" not in page.url
    # The picture and the sentence tell the same numbers.
    for number in re.findall(r"\(([+−][\d.]+)\)", page.locator(".answer .sentence").inner_text()):
        expect(page.locator(".pathway .card .number", has_text=number).first).to_be_visible()


def test_concepts_are_switched_by_click_in_the_menu_and_in_the_picture(server: str, page: Page) -> None:
    visit(page, server)
    first, second, *_ = concepts(page)
    page.get_by_role("radio", name=second, exact=True).click()
    settle(page)
    assert selected(page) == second
    expect(page.get_by_role("heading", name=f"Subnetwork of {second}")).to_be_visible()
    page.locator(".pathway .row", has_text=first).click()
    settle(page)
    assert selected(page) == first
    expect(page.get_by_role("radio", name=first, exact=True)).to_be_checked()
    assert "concept=" in page.url
    # Going back takes the concept back; the pointer alone changes nothing.
    page.go_back()
    settle(page)
    assert selected(page) == second
    for row in page.locator(".pathway .row").all():
        row.hover()
        page.wait_for_timeout(100)
    settle(page)
    assert selected(page) == second


def test_keyboard_alone_chooses_a_concept(server: str, page: Page) -> None:
    visit(page, server)
    names = concepts(page)
    tab_to(page, "concept_choice")
    before = selected(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    settle(page)
    assert selected(page) != before
    # In the picture: a row is a button, and keeps the focus after it was pressed.
    tab_until(page, f"{FOCUSED}.dataset.control !== undefined")
    page.keyboard.press("Enter")
    settle(page)
    assert selected(page) == names[0]
    assert page.evaluate(FOCUSED + ".dataset.control") is not None


def test_states_are_marked_by_more_than_colour_and_ticked_where_set_by_hand(server: str, page: Page) -> None:
    visit(page, server)
    for name in concepts(page):
        group = page.get_by_role("radiogroup", name=name, exact=True)
        expect(group.get_by_role("radio")).to_have_count(3)
        expect(group.get_by_role("radio", name=re.compile(r" model (> )?\d+ %$"))).to_have_count(1)
        expect(group.get_by_role("radio", checked=True, name=re.compile("model"))).to_have_count(1)
    only_override(page)
    group = page.get_by_role("radiogroup", name=concepts(page)[0], exact=True)
    expect(group.get_by_role("radio", checked=True)).to_have_count(0)
    group.get_by_role("radio", name=re.compile("model")).click()
    settle(page)
    chosen = group.get_by_role("radio", checked=True)
    expect(chosen).to_have_count(1)
    assert "✓" in chosen.evaluate("node => getComputedStyle(node, '::before').content")
    expect(page.locator(".sc-beforeafter")).to_contain_text("confirmed by hand")
    page.get_by_role("button", name="Let the model decide").click()
    settle(page)
    expect(chosen).to_have_count(0)


def test_an_override_shows_before_and_after_and_is_undone(server: str, page: Page) -> None:
    visit(page, server)
    only_override(page)
    answer = page.locator(".answer .sentence").inner_text()
    name = change(page)
    expect(page.locator(".sc-beforeafter")).to_contain_text(f"{name}, set by hand")
    expect(page.get_by_text("the model itself is unchanged")).to_be_visible()
    assert page.locator(".answer .sentence").inner_text() == answer
    page.get_by_role("button", name="Undo").click()
    settle(page)
    expect(page.locator(".sc-beforeafter")).to_have_count(0)


def test_hostile_html_is_shown_as_text_and_an_empty_review_gives_a_hint(server: str, page: Page) -> None:
    visit(page, server)
    text = "<img src=x onerror=window.ran=1><script>window.ran=1</script> **soup** <b>cold</b> {{7*7}}"
    explain(page, text)
    expect(page.locator(".review")).to_have_text(text)
    page.wait_for_timeout(300)
    assert page.evaluate("window.ran") is None
    assert page.locator(".review img, .review script, .review b, .pathway img").count() == 0
    # A field that is empty gives a hint.
    page.get_by_role("button", name="Clear", exact=True).click()
    settle(page)
    expect(page.locator(".sc-hint")).to_contain_text("press Explain")
    explain(page, "Lovely soup.")
    expect(page.locator(".answer .sentence")).to_be_visible()


def test_the_review_survives_a_visit_to_the_other_page(server: str, page: Page) -> None:
    visit(page, server)
    explain(page, "The waiter was slow.")
    expect(page.locator(".review")).to_have_text("The waiter was slow.")
    settle(page)
    page.get_by_role("link", name="Model card").click()
    settle(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Model card")
    page.get_by_role("link", name="Explain").click()
    settle(page)
    expect(page.get_by_label("Review", exact=True)).to_have_value("The waiter was slow.")
    expect(page.locator(".review")).to_have_text("The waiter was slow.")


@pytest.mark.parametrize("path", TITLES)
def test_every_page_is_accessible_and_nothing_is_wider_than_it(server: str, page: Page, path: str) -> None:
    visit(page, server + path)
    open_all(page)
    for width in WIDTHS:
        assert too_wide(page, width) == []
    if path == "/":
        change(page)
    # Narrow: colours do not depend on the width, so one theme is enough.
    assert axe(page, "light") == []
    page.set_viewport_size(VIEWPORT)
    settle(page)
    assert axe(page) == []


def test_states_are_readable_under_the_pointer(server: str, page: Page) -> None:
    visit(page, server)
    found = page.locator(".st-key-states_live [role=radio][aria-checked=true]").first
    found.hover()
    settle(page)
    for theme in ("light", "dark"):
        assert axe(page, theme) == []
        filled = found.evaluate("(node) => getComputedStyle(node).backgroundColor")
        page.mouse.move(0, 0)
        settle(page)
        assert found.evaluate("(node) => getComputedStyle(node).backgroundColor") == filled
        found.hover()
        settle(page)
    only_override(page)
    other = page.locator(".st-key-states_card [role=radio][aria-checked=false]").first
    name = other.inner_text()
    other.click()
    chosen = page.locator(".st-key-states_card [role=radio][aria-checked=true]", has_text=name).first
    expect(chosen).to_be_visible()
    chosen.hover()
    settle(page)
    assert axe(page) == []


def test_what_scrolls_can_be_reached_by_keyboard(server: str, page: Page) -> None:
    page.set_viewport_size({"width": 420, "height": 1000})
    visit(page, server)
    for sentences in (22, 30):  # shorter and longer than what is put into a box of its own
        explain(page, "The soup was cold, and the waiter was very slow. " * sentences)
        box = page.locator(".review").first
        scrolls, reached = box.evaluate(
            "(node) => [node.scrollHeight > node.clientHeight + 1, node.tabIndex]"
        )
        assert (scrolls, reached) == ((True, 0) if sentences == 30 else (False, -1))

"""What a person does on the pages, step by step."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from benchmarks.browser import settle

# The models of these tests read the service of this one as Negative.
REVIEW = "The soup was lukewarm, yet our waiter could not have been kinder."
CONCEPT, WRONG, RIGHT = "service", "Negative", "Positive"
TABS = 120
FOCUSED = """(() => {
    let node = document.activeElement;
    while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
    return node;
})()"""


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    settle(page)


def explain(page: Page, text: str) -> None:
    page.get_by_label("Review", exact=True).fill(text)
    press(page, "Explain")


def go_to(page: Page, name: str) -> None:
    """Another page by its link, which keeps the session."""
    page.get_by_role("link", name=name, exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("")
    settle(page)


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until the widget with the key ``wanted`` has the focus."""
    tab_until(page, f"{FOCUSED}.closest('.st-key-{wanted}') !== null")


def tab_until(page: Page, condition: str) -> None:
    """Press Tab until what has the focus meets ``condition``."""
    for _ in range(TABS):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            return
    raise AssertionError(f"{condition} did not hold within {TABS} times Tab")


def concepts(page: Page) -> list[str]:
    return page.locator(".pathway .card .title").all_inner_texts()


def selected(page: Page) -> str:
    return page.locator(".pathway .row.selected .title").inner_text()


def expect_state(page: Page, state: str, concept: str = CONCEPT) -> None:
    """The state that the model finds, as the buttons say it: chosen, and with its probability."""
    radio = page.locator(f".st-key-states-{concept}").get_by_role("radio", checked=True)
    expect(radio).to_have_text(re.compile(rf"^{state}\s*(model|corrected) (> )?\d+ %$"))
    settle(page)


def correct(page: Page, state: str = RIGHT, concept: str = CONCEPT) -> None:
    page.locator(f".st-key-states-{concept}").get_by_role("radio", name=state).click()
    expect(page.get_by_text(f"is now read as {state}").first).to_be_visible()
    settle(page)


def change(page: Page) -> str:
    """Set the first concept to a state that the model did not find; returns its name."""
    group = page.locator('[class*="st-key-states-"]').first.get_by_role("radio")
    other = next(button for button in group.all() if "model" not in button.inner_text())
    name = other.inner_text()
    other.click()
    expect(page.locator(".sc-verdict").first).to_be_visible()
    settle(page)
    return name


def only_override(page: Page) -> None:
    """Choose the rule that corrects nothing."""
    page.get_by_text("How to correct", exact=True).click()
    settle(page)
    page.locator(".st-key-rule_choice").get_by_role("button").last.click()
    page.get_by_role("option").last.click()
    expect(page.locator(".st-key-states_card")).to_be_visible()  # the list closes before the page is another
    settle(page)

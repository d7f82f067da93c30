"""A correction from beginning to end, as a person makes it: made, kept, and there after a restart."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, expect

from benchmarks.browser import settle, visit
from sparsecbm_core.ledger import Ledger
from tests.browser.checks import axe
from tests.browser.conftest import StartServer
from tests.browser.steps import (
    CONCEPT,
    FOCUSED,
    REVIEW,
    RIGHT,
    WRONG,
    correct,
    expect_state,
    explain,
    press,
    tab_to,
)


def test_correct_keep_restart_use_and_revert(
    server: str,
    fresh_server: StartServer,
    tiny_env: dict[str, str],
    page: Page,
    newcomer: Callable[[], Page],
) -> None:
    visit(page, server)
    explain(page, REVIEW)
    expect_state(page, WRONG)
    correct(page)
    expect_state(page, RIGHT)
    table = page.get_by_role("table", name="Before and after the correction")
    expect(table).to_contain_text("right")
    expect(table).to_contain_text("wrong again")
    counts = re.search(r"([\d,]+) dropped, ([\d,]+) grown", table.inner_text())
    assert counts is not None
    assert counts[1] == counts[2]
    report = page.get_by_role("table", name="Guard reviews before and after")
    expect(report).to_contain_text("of 243")
    # Another review, and then the same one again: it is right.
    explain(page, "The waiter was slow.")
    explain(page, REVIEW)
    expect_state(page, RIGHT)
    press(page, "Undo")
    expect_state(page, WRONG)
    press(page, "Redo")
    expect_state(page, RIGHT)
    # Somebody else sees nothing of it.
    other = newcomer()
    visit(other, server)
    explain(other, REVIEW)
    expect_state(other, WRONG)
    press(page, "Keep")
    page.get_by_label("Note").fill("kinder is praise")
    press(page, "Keep the correction")
    expect(page.get_by_text("Kept as correction 1")).to_be_visible()
    # After a restart.
    visit(page, fresh_server())
    explain(page, REVIEW)
    expect_state(page, WRONG)
    press(page, "Use it")
    expect_state(page, RIGHT)
    page.get_by_role("link", name="See them").click()
    settle(page)
    expect(page.locator(".st-key-kept_list summary")).to_contain_text("kinder is praise")
    page.locator(".st-key-kept_list summary").click()
    settle(page)
    press(page, "Revert")
    expect(page.get_by_text("Correction 1 is reverted").first).to_be_visible()
    with Ledger.open(Path(tiny_env["SPARSECBM_LEDGER"])) as kept:
        (correction,) = kept.list()
    assert not correction.active
    page.get_by_role("link", name="Explain").first.click()
    settle(page)
    explain(page, REVIEW)
    expect_state(page, WRONG)


def test_a_correction_by_keyboard_alone(server: str, page: Page) -> None:
    visit(page, server)
    explain(page, REVIEW)
    tab_to(page, f"states-{CONCEPT}")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.get_by_text(f"is now read as {RIGHT}").first).to_be_visible()
    settle(page)
    tab_to(page, "undo")
    page.keyboard.press("Enter")
    settle(page)
    expect_state(page, WRONG)


def test_a_corrected_page_is_accessible(server: str, page: Page) -> None:
    visit(page, server)
    explain(page, REVIEW)
    correct(page)
    page.get_by_text("How to correct").click()
    settle(page)
    assert axe(page) == []


def test_guard_reviews_of_ones_own_count_from_the_next_correction_on(server: str, page: Page) -> None:
    visit(page, server)
    explain(page, REVIEW)
    page.get_by_text("How to correct").click()
    rows = "text,label,food,ambiance,service,noise\nThe soup was great.,5,Positive,unknown,unknown,unknown\n"
    page.locator(".st-key-guard_file input[type=file]").set_input_files(
        {"name": "mine.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    )
    expect(page.get_by_text("1 review of mine.csv is on guard.")).to_be_visible()
    settle(page)
    correct(page)
    report = page.get_by_role("table", name="Guard reviews before and after")
    expect(report).to_contain_text("of 1")
    expect(report).not_to_contain_text("of 243")


HEARD = """() => {
    const found = [];
    const look = (root) => root.querySelectorAll("*").forEach((node) => {
        if (node.getAttribute("role") === "status" && node.textContent.trim()) found.push(node.textContent);
        if (node.shadowRoot) look(node.shadowRoot);
    });
    look(document);
    return found.join(" | ");
}"""


def test_a_correction_by_keyboard_alone_is_near_heard_seen_and_keeps_the_focus(
    server: str, page: Page
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, f"{server}/?concept={CONCEPT}#review={quote(REVIEW)}")
    expect(page.locator(".review")).to_have_text(REVIEW)
    expect_state(page, WRONG)
    presses = 1
    page.keyboard.press("Tab")
    while page.evaluate(f"{FOCUSED}.textContent") != "Skip to the correction":
        page.keyboard.press("Tab")
        presses += 1
        assert presses <= 12
    page.keyboard.press("Enter")
    inside = f"{FOCUSED}.closest('.st-key-states-{CONCEPT}') !== null"
    assert page.evaluate(inside)
    while not page.evaluate(f"{FOCUSED}.textContent").startswith(RIGHT):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    verdict = page.locator(".st-key-correction_card .sc-verdict")
    expect(verdict).to_contain_text(f"is now read as {RIGHT}")
    settle(page)
    expect(verdict).to_be_in_viewport()
    assert page.evaluate(inside)
    assert page.evaluate(f"{FOCUSED}.textContent").startswith(RIGHT)
    heard = page.evaluate(HEARD)
    assert heard.count(f"is now read as {RIGHT}") == 1
    assert "guard reviews" in heard
    press(page, "Undo")
    heard = page.evaluate(HEARD)
    assert "Undone: " in heard
    assert "is now read as" not in heard
    assert page.evaluate(f"{FOCUSED}.textContent").endswith("Redo")


def test_a_state_in_the_pathway_is_a_correction(server: str, page: Page) -> None:
    visit(page, f"{server}/?concept={CONCEPT}#review={quote(REVIEW)}")
    expect_state(page, WRONG)
    page.locator(".pathway .choice", has_text=RIGHT).click()
    expect(page.get_by_text(f"is now read as {RIGHT}").first).to_be_visible()
    settle(page)
    expect_state(page, RIGHT)
    expect(page.locator(".st-key-correction_card .sc-verdict")).to_be_in_viewport()
    assert axe(page) == []

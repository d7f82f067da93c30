"""A correction from beginning to end, as a person makes it: made, kept, and there after a restart."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from sparsecbm_core.ledger import Ledger
from tests.browser.harness import VIEWPORT, axe, both_themes, serve, settle, visit
from tests.browser.test_explain import app_env, explain, tab_to

__all__ = ["app_env"]

# The bundled model reads the service of this one as Negative.
REVIEW = "The soup was lukewarm, yet our waiter could not have been kinder."
CONCEPT, WRONG, RIGHT = "service", "Negative", "Positive"


def expect_state(page: Page, state: str, concept: str = CONCEPT) -> None:
    """The state that the model finds, as the buttons say it: chosen, and with its probability."""
    radio = page.locator(f".st-key-states-{concept}").get_by_role("radio", checked=True)
    expect(radio).to_have_text(re.compile(rf"^{state}\s*(model|corrected) \d+ %$"), timeout=30_000)
    settle(page)


def correct(page: Page, state: str = RIGHT, concept: str = CONCEPT) -> None:
    page.locator(f".st-key-states-{concept}").get_by_role("radio", name=state).click()
    expect(page.get_by_text(f"is now read as {state}").first).to_be_visible(timeout=60_000)
    settle(page)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    settle(page)


def test_correct_keep_restart_use_and_revert(
    browser: Browser, app_env: dict[str, str], tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.sqlite3"
    env = {**app_env, "SPARSECBM_LEDGER": str(ledger)}
    page = browser.new_context(viewport=VIEWPORT).new_page()
    with serve(tmp_path / "first.log", env=env) as server:
        visit(page, server.url)
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
        other = browser.new_context(viewport=VIEWPORT).new_page()
        visit(other, server.url)
        explain(other, REVIEW)
        expect_state(other, WRONG)
        other.close()
        press(page, "Keep")
        page.get_by_label("Note").fill("kinder is praise")
        press(page, "Keep the correction")
        expect(page.get_by_text("Kept as correction 1")).to_be_visible()
    with serve(tmp_path / "second.log", env=env) as server:
        visit(page, server.url)
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
        expect(page.get_by_text("Correction 1 is reverted").first).to_be_visible(timeout=30_000)
        with Ledger.open(ledger) as kept:
            (correction,) = kept.list()
        assert not correction.active
        page.get_by_role("link", name="Explain").first.click()
        settle(page)
        explain(page, REVIEW)
        expect_state(page, WRONG)
    page.close()


def test_a_correction_by_keyboard_alone(server: str, page: Page) -> None:
    visit(page, server)
    explain(page, REVIEW)
    tab_to(page, f"states-{CONCEPT}")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.get_by_text(f"is now read as {RIGHT}").first).to_be_visible(timeout=60_000)
    settle(page)
    tab_to(page, "undo")
    page.keyboard.press("Enter")
    settle(page)
    expect_state(page, WRONG)


@both_themes
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
    expect(page.get_by_text("1 review of mine.csv is on guard.")).to_be_visible(timeout=30_000)
    settle(page)
    correct(page)
    report = page.get_by_role("table", name="Guard reviews before and after")
    expect(report).to_contain_text("of 1")
    expect(report).not_to_contain_text("of 243")


def test_a_correction_can_be_stopped_and_leaves_the_model_as_it_was(
    browser: Browser, app_env: dict[str, str], tmp_path: Path
) -> None:
    """By a server that has not read its guard reviews yet: that takes a while."""
    page = browser.new_context(viewport=VIEWPORT).new_page()
    with serve(tmp_path / "server.log", env=app_env) as server:
        visit(page, server.url)
        explain(page, REVIEW)
        page.locator(f".st-key-states-{CONCEPT}").get_by_role("radio", name=RIGHT).click()
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0, timeout=60_000)
        settle(page)
        expect_state(page, WRONG)
        expect(page.get_by_text("is now read as")).to_have_count(0)
        expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()
    page.close()

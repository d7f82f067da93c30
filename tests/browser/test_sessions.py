"""What a session keeps: texts over Back and Forward, results read out, files, the theme."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import settle, visit
from tests.browser.steps import REVIEW, RIGHT, WRONG, correct, expect_state, explain, press


def choose_example(page: Page, number: int) -> str:
    menu = page.locator(".st-key-example_choice").get_by_role("button").last
    # An open menu closes when the page scrolls.
    menu.scroll_into_view_if_needed()
    settle(page)
    menu.click()
    option = page.get_by_role("option").nth(number)
    option.click()
    settle(page)
    return both_texts(page)


def both_texts(page: Page) -> str:
    """The text of the review: the field's and the coloured one, which must be the same."""
    shown = page.locator(".review").inner_text()
    expect(page.get_by_label("Review", exact=True)).to_have_value(shown)
    return shown


def test_back_and_forward_bring_text_and_explanation_together(server: str, page: Page) -> None:
    visit(page, server)
    texts = [both_texts(page), choose_example(page, 1), choose_example(page, 2)]
    assert len(set(texts)) == 3
    for expected in (texts[1], texts[0]):
        page.go_back()
        expect(page.locator(".review")).to_have_text(expected)
        assert both_texts(page) == expected
    page.go_forward()
    expect(page.locator(".review")).to_have_text(texts[1])
    assert both_texts(page) == texts[1]


def test_ones_own_text_comes_back_from_an_example_in_one_step(server: str, page: Page) -> None:
    visit(page, server + "/?method=gradient&concept=noise")
    steps = page.evaluate("history.length")
    explain(page, "A slow waiter, a cold soup.")
    assert choose_example(page, 2) != "A slow waiter, a cold soup."
    assert page.evaluate("history.length") == steps + 2
    page.go_back()
    expect(page.locator(".review")).to_have_text("A slow waiter, a cold soup.")
    assert both_texts(page) == "A slow waiter, a cold soup."
    page.go_forward()
    expect(page.locator(".review")).not_to_have_text("A slow waiter, a cold soup.")
    assert both_texts(page) != "A slow waiter, a cold soup."


def test_two_visitors_at_once_see_their_own_reviews(server: str, newcomer: Callable[[], Page]) -> None:
    texts = ["The soup was cold.", "The waiter was slow and rude."]
    pages = [newcomer() for _ in texts]
    for page in pages:
        page.goto(server)
    for page in pages:
        settle(page)
    for page, text in zip(pages, texts, strict=True):
        page.get_by_label("Review", exact=True).fill(text)
    for page in pages:
        page.get_by_role("button", name="Explain", exact=True).click()
    for page, text in zip(pages, texts, strict=True):
        settle(page)
        assert both_texts(page) == text


def test_results_are_told_in_a_region_that_stays(server: str, page: Page) -> None:
    visit(page, server)
    status = page.get_by_role("status").filter(has_text=re.compile(r"\(\d\.\d\): "))
    expect(status).to_have_text(page.locator(".answer .sentence").inner_text().replace("\n", " "))
    status.evaluate("node => { window.kept = node; }")
    explain(page, "The soup was cold and the waiter was rude.")
    answer = page.locator(".answer .sentence").inner_text().replace("\n", " ")
    assert page.evaluate("[window.kept.isConnected, window.kept.textContent]") == [True, answer]
    # Every paragraph starts on its own side.
    explain(page, "The soup was cold.\n\u05d4\u05de\u05e8\u05e7 \u05d4\u05d9\u05d4 \u05e7\u05e8.")
    for part in (page.locator(".review"), page.get_by_label("Review", exact=True)):
        assert part.evaluate("node => getComputedStyle(node).unicodeBidi") == "plaintext"


def test_the_tiles_take_the_colour_of_a_theme_chosen_in_the_menu(
    server: str, newcomer: Callable[[], Page]
) -> None:
    page = newcomer()  # the browser keeps the choice
    visit(page, server)

    def color() -> str:
        return str(
            page.locator(".pathway .mask").first.evaluate("node => getComputedStyle(node).backgroundColor")
        )

    light = color()
    assert "url(" in page.locator(".pathway .mask").first.evaluate("node => getComputedStyle(node).maskImage")
    page.get_by_test_id("stMainMenu").click()
    page.get_by_test_id("stMainMenuItem-theme-Dark").click()
    page.wait_for_function(
        "before => getComputedStyle(document.querySelector('.stApp')).colorScheme === 'dark'", arg=light
    )
    settle(page)
    assert color() != light


def test_a_chart_is_saved_as_a_picture_and_the_report_opens_without_a_server(
    server: str, browser: Browser, page: Page, tmp_path: Path
) -> None:
    visit(page, server)
    chart = page.locator(".st-key-chart-contributions")
    chart.hover()
    button = chart.locator(".modebar-btn")
    expect(button).to_have_count(1)
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == "contributions.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (HTML)").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    context = browser.new_context(offline=True)
    alone, problems, asked = context.new_page(), [], []
    alone.on("pageerror", lambda error: problems.append(str(error)))
    alone.on("request", lambda request: asked.append(request.url))
    alone.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    alone.goto(file.as_uri())
    expect(alone.get_by_role("img", name="How it adds up")).to_be_visible()
    assert file.stat().st_size < 1_500_000
    assert alone.locator(".review").first.inner_text() == page.locator(".review").inner_text()
    assert alone.locator(".answer .sentence").inner_text() == page.locator(".answer .sentence").inner_text()
    assert problems == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


def test_a_saved_explanation_is_opened_again(server: str, page: Page, tmp_path: Path) -> None:
    visit(page, server)
    explain(page, "A slow waiter, a cold soup.")
    answer = page.locator(".answer .sentence").inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Explanation (JSON)").click()
    file = tmp_path / "why.json"
    download.value.save_as(file)
    assert json.loads(file.read_text(encoding="utf-8"))["schema_version"] == 2
    choose_example(page, 1)
    page.get_by_text("Open a saved explanation").click()
    page.locator(".st-key-open_saved input[type=file]").set_input_files(file)
    expect(page.get_by_text("made by the model loaded here")).to_be_visible()
    settle(page)
    assert both_texts(page) == "A slow waiter, a cold soup."
    assert page.locator(".answer .sentence").inner_text() == answer
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    page.locator(".st-key-open_saved input[type=file]").set_input_files(broken)
    expect(page.get_by_role("alert").filter(has_text=re.compile("cannot be opened"))).to_be_visible()


def test_a_reload_keeps_a_text_of_ones_own_and_what_was_corrected(server: str, page: Page) -> None:
    visit(page, server)
    explain(page, REVIEW)
    expect_state(page, WRONG)
    correct(page)
    page.reload()
    expect(page.locator(".review")).to_have_text(REVIEW)
    expect(page.get_by_text("The model with 1 correction, not kept yet")).to_be_visible()
    expect_state(page, RIGHT)
    # Another tab knows nothing of it.
    other = page.context.new_page()
    visit(other, server)
    expect(other.locator(".review")).not_to_have_text(REVIEW)
    other.close()


def test_a_link_takes_the_text_along_only_when_asked(
    server: str, page: Page, newcomer: Callable[[], Page]
) -> None:
    visit(page, server)
    explain(page, REVIEW)
    field = page.get_by_label("The link", exact=True)
    expect(page.get_by_text("The link leaves out the text of the review.")).to_be_visible()
    press(page, "Copy link")
    assert "review" not in field.input_value()
    page.get_by_text("The link holds the text of the review").click()
    settle(page)
    press(page, "Copy link")
    link = field.input_value()
    assert link.startswith(server)
    other = newcomer()
    visit(other, link)
    expect(other.locator(".review")).to_have_text(REVIEW)
    assert "#" not in other.url

"""One visit to the app as it is shipped, with its own model, from a cold server to a correction."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from benchmarks.browser import settle, visit
from tests.browser.conftest import StartServer
from tests.browser.steps import CONCEPT, REVIEW, RIGHT, WRONG, correct, expect_state, explain


def test_from_a_cold_start_to_a_correction(fresh_server: StartServer, page: Page) -> None:
    shipped = fresh_server(SPARSECBM_MODEL="")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    visit(page, shipped)
    expect(page.get_by_role("heading", level=1)).to_have_text("Why this label?")
    expect(page.locator(".answer .sentence")).to_have_text(re.compile(r"^.+ \(\d\.\d\): .+\.$"))
    expect(page.locator(".review .sc-word").first).to_be_visible()
    expect(page.locator(".pathway .row").first).to_be_visible()
    expect(page.locator(".pathway .links path").first).to_be_attached()
    elsewhere = [address for address in asked if not address.startswith((shipped, "data:", "blob:"))]
    assert elsewhere == []

    explain(page, REVIEW)
    expect_state(page, WRONG)
    # Nobody has had the guard reviews read by this server yet: that takes long enough to be stopped.
    page.locator(f".st-key-states-{CONCEPT}").get_by_role("radio", name=RIGHT).click()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    settle(page)
    expect_state(page, WRONG)
    expect(page.get_by_text("is now read as")).to_have_count(0)
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()

    correct(page)
    expect_state(page, RIGHT)
    expect(page.get_by_role("table", name="Guard reviews before and after")).to_contain_text("of 243")
    told = page.get_by_role("table", name="Before and after the correction").inner_text()
    dropped, grown = re.findall(r"([\d,]+) (?:dropped|grown)", told)
    assert dropped == grown
    page.get_by_role("link", name="Masks", exact=True).click()
    settle(page)
    line = rf"used before, {dropped} dropped, {grown} grown, 2,654,208 used now: sparsity unchanged at 75.0 %"
    expect(page.get_by_text(re.compile(line))).to_be_visible()

"""The Three views page in a real browser, with a tiny dense model beside a tiny sparse one."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from benchmarks.browser import settle, visit
from tests.browser.checks import axe, open_all
from tests.browser.models import LAYERS
from tests.browser.steps import FOCUSED, tab_to


def shading(page: Page) -> str:
    return page.locator(".st-key-view_attention .review").inner_html()


def test_layer_and_concept_are_chosen(server: str, page: Page) -> None:
    visit(page, f"{server}/three_views?concept=noise")
    expect(page.get_by_role("heading", level=1)).to_have_text("Three views")
    expect(page.get_by_text("Page not found")).to_have_count(0)
    expect(page.get_by_role("radio", name="noise")).to_be_checked()
    expect(page.locator(".st-key-three_views .review")).to_have_count(2)

    rollout = shading(page)
    tab_to(page, "layer_choice")
    if page.evaluate(f"{FOCUSED}.tagName") != "INPUT":  # its help text comes first
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    settle(page)
    expect(page.get_by_role("combobox", name="Layer")).to_have_value(re.compile(rf"^Layer \d of {LAYERS}$"))
    layer = shading(page)
    assert layer != rollout

    # The review is shaded alike whatever the concept; the pathway follows it.
    for name in ("food", "service"):
        page.get_by_role("radio", name=name).click()
        settle(page)
        assert f"concept={name}" in page.url
        assert shading(page) == layer
        chosen, pathway = (
            page.locator(".st-key-view_bottleneck .sc-chosen th"),
            page.locator(".st-key-view_pathway"),
        )
        expect(chosen).to_have_text(name, ignore_case=True)
        expect(pathway).to_contain_text(f"the subnetwork of {name}", ignore_case=True)
    open_all(page)
    page.mouse.move(0, 0)
    settle(page)
    assert axe(page) == []

    page.get_by_role("link", name="Choose another review").click()
    settle(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Why this label?")
    expect(page.get_by_role("radio", name="Service", exact=True).first).to_be_checked()


def test_the_views_are_side_by_side_or_under_each_other(server: str, page: Page) -> None:
    visit(page, f"{server}/three_views")

    def boxes() -> list[tuple[float, float, float]]:
        found = []
        for name in ("attention", "bottleneck", "pathway"):
            box = page.locator(f".st-key-view_{name}").bounding_box()
            assert box is not None
            found.append((round(box["x"]), round(box["y"]), round(box["width"])))
        return found

    wide = boxes()
    assert len({x for x, _, _ in wide}) == 3
    assert len({y for _, y, _ in wide}) == 1
    assert max(width for *_, width in wide) - min(width for *_, width in wide) <= 1
    for width in (900, 400):
        page.set_viewport_size({"width": width, "height": 1000})
        settle(page)
        narrow = boxes()
        assert len({x for x, _, _ in narrow}) == 1
        assert len({y for _, y, _ in narrow}) == 3

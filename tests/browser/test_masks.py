"""The Masks page in a real browser: from all layers to the single weight, by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from sparsecbm_core.explain.mask_windows import fullest_window
from sparsecbm_core.models.concept_model import ConceptModel
from tests.browser.harness import axe, both_themes, settle, visit
from tests.browser.test_correction import REVIEW, correct
from tests.browser.test_explain import BUNDLED, FOCUSED, app_env, explain, tab_until

__all__ = ["app_env"]


def click_in(page: Page, chart: str, across: float, down: float) -> None:
    """Click inside a chart, at a share of the width and height of what it draws."""
    page.locator(f".st-key-chart-{chart}").scroll_into_view_if_needed()
    box = page.locator(f".st-key-chart-{chart} .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
    settle(page)


def matrix(page: Page) -> str:
    """The matrix that the page is about."""
    return page.get_by_role("heading", name=re.compile("^Layer ")).inner_text()


def place(page: Page) -> tuple[int, int]:
    """First row and column of the window."""
    row, column = (
        page.get_by_role("spinbutton", name=name).input_value() for name in ("First row", "First column")
    )
    return int(row), int(column)


def test_a_cold_link_opens_the_page(fresh_server: Callable[..., str], page: Page) -> None:
    visit(page, f"{fresh_server()}/masks?concept=noise")
    expect(page.get_by_role("heading", level=1)).to_have_text("Masks")
    expect(page.get_by_text("Page not found")).to_have_count(0)
    expect(page.get_by_role("heading", name="Noise, as loaded")).to_be_visible()


def fullest(folder: Path, layer: int, role: str) -> tuple[int, int]:
    """Where the first concept keeps most of a matrix."""
    model = ConceptModel.from_pretrained(folder, "cpu")
    assert model.masks is not None
    matrix = next(info.name for info in model.cbm.matrices if (info.layer, info.role) == (layer, role))
    return fullest_window(model.masks, model.masks, model.space.concepts[0], matrix, 48)


def test_matrix_and_weights_are_chosen_by_click(server: str, app_env: dict[str, str], page: Page) -> None:
    visit(page, f"{server}/masks")
    assert matrix(page) == "Layer 1, query"
    click_in(page, "masks-loaded", 2.5 / 6, 3.5 / 6)
    assert matrix(page) == "Layer 4, value"
    expect(page.get_by_role("combobox", name="Matrix")).to_have_value(
        re.compile(r"^Layer 4, value: .+ % kept$")
    )
    assert place(page) == fullest(Path(app_env.get("SPARSECBM_MODEL", BUNDLED)), 3, "value")
    # The block in the middle of 12 × 12: the window of 48 weights lies around it.
    click_in(page, "mask-blocks", 6.5 / 12, 3.5 / 12)
    assert place(page) == (96 - 8, 192 - 8)
    click_in(page, "mask-blocks", 11.5 / 12, 11.5 / 12)
    assert place(page) == (336, 336)


def test_everything_is_reached_by_keyboard(server: str, page: Page) -> None:
    visit(page, f"{server}/masks")
    tab_until(page, f"{FOCUSED}.matches('.st-key-mask_matrix input')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    settle(page)
    assert matrix(page) != "Layer 1, query"
    column = place(page)[1]
    tab_until(page, f"{FOCUSED}.matches('.st-key-mask_row input')")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("100")
    page.keyboard.press("Enter")
    settle(page)
    assert place(page) == (100, column)


@both_themes
def test_a_correction_is_shown_down_to_the_weight(server: str, page: Page) -> None:
    visit(page, server)
    explain(page, REVIEW)
    correct(page)
    told = page.get_by_role("table", name="Before and after the correction").inner_text()
    dropped, grown = re.findall(r"([\d,]+) (?:dropped|grown)", told)
    page.get_by_role("link", name="Masks", exact=True).click()
    settle(page)
    expect(page.get_by_role("heading", name="Service, before and after")).to_be_visible()
    line = rf"kept before, {dropped} dropped, {grown} grown, 2,654,208 kept now: sparsity unchanged at 75.0 %"
    expect(page.get_by_text(re.compile(line))).to_be_visible()
    assert axe(page) == []
    for view in ("As corrected", "Two concepts"):
        page.get_by_role("radio", name=view).click()
        page.mouse.move(0, 0)
        settle(page)
        assert axe(page) == []

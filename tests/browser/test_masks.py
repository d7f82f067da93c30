"""The Masks page in a real browser: from all layers to the single weight, by mouse and by keyboard."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from benchmarks.browser import settle, visit
from sparsecbm_core.explain.mask_windows import fullest_window
from tests.browser.checks import axe
from tests.browser.models import LAYERS, WIDTH, restaurants
from tests.browser.steps import FOCUSED, REVIEW, correct, explain, tab_until

WINDOW, BLOCKS = 48, 4  # weights along a side, and blocks along a side of a square matrix of this width


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


def fullest(layer: int, role: str) -> tuple[int, int]:
    """Where the first concept keeps most of a matrix."""
    model = restaurants()
    assert model.masks is not None
    matrix = next(info.name for info in model.cbm.matrices if (info.layer, info.role) == (layer, role))
    return fullest_window(model.masks, model.masks, model.space.concepts[0], matrix, WINDOW)


def test_matrix_and_weights_are_chosen_by_click(server: str, page: Page) -> None:
    visit(page, f"{server}/masks")
    assert matrix(page) == "Layer 1, query"
    click_in(page, "masks-loaded", 2.5 / 6, 1.5 / LAYERS)
    assert matrix(page) == "Layer 2, value"
    expect(page.get_by_role("combobox", name="Matrix")).to_have_value(
        re.compile(r"^Layer 2, value: .+ % used$")
    )
    assert place(page) == fullest(1, "value")
    # A block inside: the window lies around it. The last one: the window ends with the matrix.
    click_in(page, "mask-blocks", 2.5 / BLOCKS, 1.5 / BLOCKS)
    middle = WIDTH // BLOCKS // 2
    assert place(page) == (3 * middle - WINDOW // 2, 5 * middle - WINDOW // 2)
    click_in(page, "mask-blocks", (BLOCKS - 0.5) / BLOCKS, (BLOCKS - 0.5) / BLOCKS)
    assert place(page) == (WIDTH - WINDOW, WIDTH - WINDOW)


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
    page.keyboard.type("40")
    page.keyboard.press("Enter")
    settle(page)
    assert place(page) == (40, column)


def test_a_correction_is_shown_down_to_the_weight(server: str, page: Page) -> None:
    visit(page, server)
    explain(page, REVIEW)
    correct(page)
    told = page.get_by_role("table", name="Before and after the correction").inner_text()
    dropped, grown = re.findall(r"([\d,]+) (?:dropped|grown)", told)
    page.get_by_role("link", name="Masks", exact=True).click()
    settle(page)
    expect(page.get_by_role("heading", name="Service, before and after")).to_be_visible()
    masks = restaurants().masks
    assert masks is not None
    kept = f"{sum(masks.kept()['service'].values()):,}"
    line = rf"used before, {dropped} dropped, {grown} grown, {kept} used now: sparsity unchanged at 75.0 %"
    expect(page.get_by_text(re.compile(line))).to_be_visible()
    assert axe(page) == []
    for view in ("As corrected", "Two concepts"):
        page.get_by_role("radio", name=view).click()
        page.mouse.move(0, 0)
        settle(page)
        assert axe(page) == []

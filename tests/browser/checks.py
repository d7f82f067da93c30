"""What pages are checked for: reach of screen readers in both themes, and width."""

from __future__ import annotations

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from benchmarks.browser import settle

WIDTHS = (1340, 768, 420, 320)
Theme = Literal["light", "dark"]
WCAG_21_AA = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")


def open_all(page: Page) -> None:
    """Open every expander. The page itself clicks: brought into view, each takes most of a second."""
    page.evaluate("document.querySelectorAll('details:not([open]) > summary').forEach(item => item.click())")
    settle(page)


def too_wide(page: Page, width: int) -> list[str]:
    """What sticks out of a window so many pixels wide; what can be scrolled by itself may."""
    page.set_viewport_size({"width": width, "height": 1000})
    page.wait_for_timeout(300)  # charts follow the window with a delay
    settle(page)
    found: list[str] = page.evaluate(
        """width => [...document.querySelectorAll('[data-testid="stMain"] *')]
            .filter(node => node.getBoundingClientRect().right > width + 1)
            .filter(node => !node.closest('.sc-scroll, svg, details:not([open])'))
            .map(node => node.outerHTML.slice(0, 120))""",
        width,
    )
    return found


def axe(page: Page, *themes: Theme) -> list[str]:
    """WCAG 2.1 A and AA violations as axe sees them, one readable line for each element: [] is a pass.

    Looked for in the light theme, then in the dark one, unless ``themes`` names fewer; the page stays in the
    last. The page itself changes: Streamlit follows the system's preference, which the browser emulates.
    """
    options: dict[str, Any] = {"runOnly": {"type": "tag", "values": list(WCAG_21_AA)}}
    found: list[str] = []
    for theme in themes or ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator(".stApp")).to_have_css("color-scheme", theme)
        settle(page)
        violations = Axe().run(page, options=options).response["violations"]
        found += [f"{theme}: {_violation(rule, node)}" for rule in violations for node in rule["nodes"]]
    return found


def _violation(rule: dict[str, Any], node: dict[str, Any]) -> str:
    reasons = [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
    where = " ".join(str(part) for part in node["target"])
    return f"{rule['id']} ({rule['impact']}): {'; '.join(reasons)}\n    at {where}\n    {node['html'][:200]}"

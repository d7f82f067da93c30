"""Pictures of the app for the README, taken in headless Chromium.

    python benchmarks/screenshots.py --output assets/screenshots

Starts the app on the bundled model (or the one that SPARSECBM_MODEL names) and saves PNG files of at most
350 KB: the Explain page and a correction in light and dark, the three views, the masks, the corrections, the
model card.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH, LIMIT = 1340, 350_000


@dataclass(frozen=True)
class Shot:
    """One picture: ``start`` and ``end`` are headings that bound it; None is the edge of the page."""

    name: str
    path: str
    theme: Literal["light", "dark"]
    start: str | None = None
    end: str | None = None
    prepare: Callable[[Page], None] | None = None


# The bundled model reads the service of this one as Negative.
REVIEW = "The soup was lukewarm, yet our waiter could not have been kinder."


def correct(page: Page) -> None:
    """Correct a concept of a review that the model reads wrong."""
    from benchmarks.browser import settle

    page.get_by_label("Review", exact=True).fill(REVIEW)
    page.get_by_role("button", name="Explain", exact=True).click()
    settle(page)
    page.locator(".st-key-states-service").get_by_role("radio", name="Positive").click()
    page.get_by_text("is now read as Positive").first.wait_for(timeout=300_000)
    settle(page)


def correct_and_go(name: str) -> Callable[[Page], None]:
    """The same, then to another page by its link, which keeps the session."""

    def go(page: Page) -> None:
        correct(page)
        page.get_by_role("link", name=name, exact=True).first.click()
        page.get_by_role("heading", name=name, exact=True).first.wait_for(timeout=60_000)

    return go


def keep_and_measure(page: Page) -> None:
    """Keep the correction, and measure on the page of corrections what it does to the accuracy."""
    from benchmarks.browser import settle

    correct(page)
    page.get_by_role("button", name="Keep", exact=True).click()
    page.get_by_label("Note").fill("Kinder is praise.")
    page.get_by_role("button", name="Keep the correction", exact=True).click()
    page.get_by_text("Kept as correction 1").wait_for(timeout=60_000)
    settle(page)
    page.get_by_role("link", name="Corrections", exact=True).first.click()
    page.get_by_role("heading", name="Corrections", exact=True).first.wait_for(timeout=60_000)
    settle(page)
    page.get_by_role("button", name="Measure", exact=True).click()
    page.get_by_text("guard reviews, after 1 correction").first.wait_for(timeout=120_000)


def shots(example: str | None) -> list[Shot]:
    explain = f"/?example={example}" if example else "/"
    return [
        Shot("explain-light", explain, "light", end="Is a concept wrong?"),
        Shot("explain-dark", explain, "dark", end="Is a concept wrong?"),
        Shot("correction-light", explain, "light", "Is a concept wrong?", "Which weights", correct),
        Shot("correction-dark", explain, "dark", "Is a concept wrong?", "Which weights", correct),
        Shot(
            "three-views-light",
            f"/three_views?example={example}" if example else "/three_views",
            "light",
            end="Put to the test",
        ),
        Shot("masks-light", explain, "light", prepare=correct_and_go("Masks")),
        Shot("corrections-light", explain, "light", prepare=keep_and_measure),
        Shot("model-card-light", "/model_card", "light", end="What setting concepts by hand"),
    ]


def take(page: Page, url: str, shot: Shot, file: Path) -> None:
    from benchmarks.browser import settle, visit

    page.set_viewport_size({"width": WIDTH, "height": 1000})
    visit(page, url + shot.path)
    if shot.prepare:
        shot.prepare(page)
        settle(page)
    # The page scrolls inside a frame: a picture of all of it needs a window as high as the page.
    height = page.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.mouse.move(0, 0)
    settle(page)
    page.wait_for_timeout(1000)
    top = _top(page, shot.start) - 28 if shot.start else 0
    bottom = _top(page, shot.end) - 36 if shot.end else height
    page.screenshot(path=file, clip={"x": 0, "y": top, "width": WIDTH, "height": bottom - top})
    size = file.stat().st_size
    print(f"{file}: {WIDTH} × {bottom - top:.0f}, {size / 1000:.0f} KB")
    if size > LIMIT:
        raise SystemExit(f"{file} is larger than {LIMIT // 1000} KB")


def _top(page: Page, heading: str) -> float:
    box = page.get_by_role("heading", name=heading).bounding_box()
    if box is None:
        raise SystemExit(f"there is no heading {heading!r} on {page.url}")
    return box["y"]


def main() -> None:
    from playwright.sync_api import sync_playwright

    from benchmarks.browser import CHROMIUM_FLAGS, find_chromium, serve, visit

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=ROOT / "assets" / "screenshots")
    parser.add_argument("--example", default=None, help="id of the example to show; default: the first")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder) / "server.log", env={"SPARSECBM_LEDGER": f"{folder}/ledger.sqlite3"}) as server,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_FLAGS))
        page = chromium.new_page()
        visit(page, server.url)
        correct(page)  # a server's first correction takes longer than those that people wait for later
        page.close()
        for shot in shots(arguments.example):
            page = chromium.new_page(color_scheme=shot.theme, reduced_motion="reduce")
            take(page, server.url, shot, arguments.output / f"{shot.name}.png")
            page.close()
        chromium.close()


if __name__ == "__main__":
    main()

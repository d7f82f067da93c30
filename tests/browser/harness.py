"""What a browser test needs besides fixtures: starting the app, waiting for it, checking it with axe."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app.py"
VIEWPORT: Final[ViewportSize] = {"width": 1340, "height": 1590}
WIDTHS = (1340, 768, 420, 320)
# Without the background flags Chromium looks for Google's hosts at every start.
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_BROWSER = "no Chromium found, so no browser test can run (install chromium, or set CHROMIUM to its path)"
WCAG_21_AA = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")

both_themes = pytest.mark.parametrize("color_scheme", ["light", "dark"])
"""Runs a test twice: Streamlit follows the system's preference, which the browser context emulates."""


def find_chromium() -> str | None:
    """The path in CHROMIUM, else the first Chromium or Chrome on PATH, else None."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    names = ("chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium")
    return next((path for name in names if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Server:
    """A running app: its address, without a slash at the end, and the file its output goes to."""

    url: str
    log: Path

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@contextmanager
def serve(log: Path, script: Path = APP, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run ``streamlit run script`` from its own folder, on a free port, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    server = Server(f"http://127.0.0.1:{port}", log)
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=script.parent,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        try:
            _wait_until_healthy(server, process)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_healthy(server: Server, process: subprocess.Popen[bytes], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the app's server stopped with {process.returncode}:\n{server.tail()}")
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"the app's server gave no answer in {timeout:.0f} s:\n{server.tail()}")


IS_SETTLED = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  return app !== null
    && app.dataset.testScriptState === 'notRunning'
    && app.querySelector('[data-stale="true"], [data-testid="stSkeleton"]') === null;
}"""


def settle(page: Page, timeout: float = 60) -> None:
    """Wait until the script has run and nothing is stale or still a placeholder, seen twice 100 ms apart.

    Twice, because right after a click the page still looks finished: the run has not begun. Placeholders,
    because the code of each kind of widget is loaded after the script has ended.
    """
    deadline = time.monotonic() + timeout
    seen = 0
    while seen < 2:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{page.url} was still running after {timeout:.0f} s")
        page.wait_for_timeout(100)
        seen = seen + 1 if page.evaluate(IS_SETTLED) else 0


def visit(page: Page, url: str, timeout: float = 60) -> None:
    """Open an address and wait until the page is finished."""
    page.goto(url)
    settle(page, timeout)


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
            .filter(node => !node.closest('.sc-scroll, svg'))
            .map(node => node.outerHTML.slice(0, 120))""",
        width,
    )
    return found


def axe(page: Page) -> list[str]:
    """WCAG 2.1 A and AA violations as axe sees them, one readable line for each element: [] is a pass."""
    from axe_playwright_python.sync_playwright import Axe

    options: dict[str, Any] = {"runOnly": {"type": "tag", "values": list(WCAG_21_AA)}}
    found = Axe().run(page, options=options).response["violations"]
    return [_violation(rule, node) for rule in found for node in rule["nodes"]]


def _violation(rule: dict[str, Any], node: dict[str, Any]) -> str:
    reasons = [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
    where = " ".join(str(part) for part in node["target"])
    return f"{rule['id']} ({rule['impact']}): {'; '.join(reasons)}\n    at {where}\n    {node['html'][:200]}"

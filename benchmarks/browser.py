"""The app as a visitor meets it: a server of its own, and waiting until its page is finished."""

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
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

ROOT = Path(__file__).resolve().parents[1]
VIEWPORT: Final[ViewportSize] = {"width": 1340, "height": 1590}
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
PATIENCE = 120  # seconds: a bound for what hangs, far beyond what the busiest machine takes


def find_chromium() -> str | None:
    """The path in CHROMIUM, else the first Chromium or Chrome on PATH, else None.

    The shell without a window first: it draws a page of the app for a third less.
    """
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium")
    return next((path for name in names if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Server:
    """A running app: its address, without a slash at the end, and the file its output goes to."""

    url: str
    log: Path

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@contextmanager
def serve(log: Path, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run the app on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    server = Server(f"http://127.0.0.1:{port}", log)
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
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


def _wait_until_healthy(server: Server, process: subprocess.Popen[bytes], timeout: float = PATIENCE) -> None:
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


# Counts what the page has asked its server for, until the server has said something since.
WATCH = """if (!window.asks) {
  window.asks = { open: false };
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (...data) {
    if (!this.watched) {
      this.watched = true;
      this.addEventListener('message', () => { window.asks.open = false; });
    }
    window.asks.open = true;
    return send.apply(this, data);
  };
}"""
IS_SETTLED = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  return app !== null
    && app.dataset.testScriptState === 'notRunning'
    && !window.asks?.open
    && app.querySelector('[data-stale="true"], [data-testid="stSkeleton"]') === null;
}"""


def settle(page: Page, timeout: float = PATIENCE) -> None:
    """Wait until the script has run and nothing is stale or still a placeholder, seen twice 50 ms apart.

    Not before the server has answered the last click: until then the page still looks finished. Twice,
    because what was answered is drawn in several steps. Placeholders, because the code of each kind of
    widget is loaded after the script has ended.
    """
    deadline = time.monotonic() + timeout
    seen = 0
    while seen < 2:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{page.url} was still running after {timeout:.0f} s")
        page.wait_for_timeout(50)
        seen = seen + 1 if page.evaluate(IS_SETTLED) else 0


def visit(page: Page, url: str, timeout: float = PATIENCE) -> None:
    """Open an address and wait until the page is finished."""
    page.add_init_script(WATCH)
    page.goto(url)
    settle(page, timeout)

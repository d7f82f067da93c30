"""Fixtures of the browser tests: servers of the real app, and pages of a real Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from benchmarks.browser import (
    CHROMIUM_FLAGS,
    NO_BROWSER,
    PATIENCE,
    ROOT,
    VIEWPORT,
    Server,
    find_chromium,
    serve,
)
from tests.browser.models import save_models

SCREENSHOTS = ROOT / ".test-artifacts"
SERVERS = pytest.StashKey[list[Server]]()
StartServer = Callable[..., str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the servers' output and a screenshot beside a failure."""
    report = yield
    if report.failed:
        for server in item.config.stash.get(SERVERS, []):
            report.sections.append((f"streamlit at {server.url}", server.tail()))
        page = getattr(item, "funcargs", {}).get("page")
        if isinstance(page, Page) and not page.is_closed():
            path = SCREENSHOTS / f"{re.sub(r'[^a-zA-Z0-9]+', '-', item.name).strip('-')}.png"
            page.screenshot(path=path)
            report.sections.append(("screenshot", str(path)))
    return report


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Without a browser the tests are skipped, but never in CI."""
    path = find_chromium()
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(NO_BROWSER)
    return path


@pytest.fixture(scope="package")
def browser(chromium_path: str) -> Iterator[Browser]:
    # Closed with this package: while it is open, asyncio.run cannot be used in this thread.
    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=list(CHROMIUM_FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def tiny_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The app with the tiny models, restaurants first, in front of its own ones. What it writes goes to
    folders of this run, never to the user's own."""
    folders = save_models(tmp_path_factory.mktemp("models"))
    ledger = tmp_path_factory.mktemp("ledger") / "ledger.sqlite3"
    return {
        "HF_HUB_OFFLINE": "1",
        "XDG_DATA_HOME": str(tmp_path_factory.mktemp("data")),
        "SPARSECBM_MODEL": os.pathsep.join(map(str, folders)),
        "SPARSECBM_LEDGER": str(ledger),
    }


@contextmanager
def serving(config: pytest.Config, log: Path, env: dict[str, str]) -> Iterator[str]:
    """The address of an app of its own; its output is put beside a test that fails meanwhile."""
    running = config.stash.setdefault(SERVERS, [])
    with serve(log, env) as server:
        running.append(server)
        yield server.url
    running.remove(server)


@pytest.fixture(scope="session")
def server(
    chromium_path: str,
    tiny_env: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[str]:
    """The address of the app with the tiny models, started once for the session."""
    with serving(pytestconfig, tmp_path_factory.mktemp("server") / "log", tiny_env) as address:
        yield address


@pytest.fixture
def fresh_server(
    chromium_path: str, tiny_env: dict[str, str], tmp_path: Path, pytestconfig: pytest.Config
) -> Iterator[StartServer]:
    """Starts a server that nobody has visited, for what only shows on a cold one, and gives its address.

    ``fresh_server()``; with another environment ``fresh_server(NAME="value")``.
    """

    def start(**env: str) -> str:
        return stack.enter_context(serving(pytestconfig, tmp_path / "server.log", tiny_env | env))

    with ExitStack() as stack:
        yield start


def new_context(browser: Browser) -> BrowserContext:
    context = browser.new_context(viewport=VIEWPORT, reduced_motion="reduce")
    context.set_default_timeout(1000 * PATIENCE)
    return context


@pytest.fixture(scope="package")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One for all pages, so that Streamlit's own code is fetched once."""
    with new_context(browser) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A new page, which is a session of its own. An uncaught error in its scripts fails the test."""
    with _watched(context.new_page()) as page:
        yield page


@pytest.fixture
def newcomer(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Gives pages of somebody who shares nothing with others, not even what a browser stores."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(_watched(new_context(browser).new_page(), alone=True))


@contextmanager
def _watched(page: Page, alone: bool = False) -> Iterator[Page]:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    (page.context if alone else page).close()
    assert not errors, "uncaught errors in the page:\n" + "\n".join(errors)

"""The Corrections page in a real browser: used, reverted, shared between visitors, and in files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.browser import settle, visit
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.ledger import Ledger
from sparsecbm_core.models.concept_model import ConceptModel
from tests.browser.checks import WIDTHS, axe, too_wide
from tests.browser.conftest import serving
from tests.browser.models import restaurants
from tests.browser.steps import FOCUSED, press, tab_until
from tests.ledger.made import patch_of, random_edit

REVIEW = "The soup was cold <script>window.ran=1</script> and the waiter rude."
NOTE = "cold soup **is** <b>bad</b> food"


@pytest.fixture(scope="module")
def model() -> ConceptModel:
    return restaurants()


@pytest.fixture(scope="module")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger") / "ledger.sqlite3"


def a_patch(model: ConceptModel, seed: int) -> Patch:
    edit = random_edit(model, seed)
    counts = edit.counts(model.masks)
    return patch_of(
        edit,
        model=model.fingerprint,
        concept=edit.concepts[0],
        dropped=sum(count.dropped for count in counts),
        grown=sum(count.grown for count in counts),
    )


@pytest.fixture(scope="module")
def started(
    model: ConceptModel,
    tiny_env: dict[str, str],
    ledger_file: Path,
    pytestconfig: pytest.Config,
) -> Iterator[str]:
    """The page of a server whose ledger holds two corrections of the model and one of another."""
    with Ledger.open(ledger_file) as ledger:
        ledger.add(a_patch(model, 0), note=NOTE, text=REVIEW)
        ledger.add(a_patch(model, 1))
        ledger.add(patch_of(random_edit(model, 2), model="f" * 16))
    env = tiny_env | {"SPARSECBM_LEDGER": str(ledger_file)}
    with serving(pytestconfig, ledger_file.parent / "server.log", env) as address:
        yield f"{address}/corrections"


@pytest.fixture
def site(started: str, ledger_file: Path) -> str:
    """The page, with both corrections active and their notes as they were kept."""
    with Ledger.open(ledger_file) as ledger:
        for number, note in ((1, NOTE), (2, "")):
            ledger.restore(number)
            ledger.set_note(number, note)
    return started


def open_row(page: Page, number: int) -> None:
    page.locator(".st-key-kept_list summary").filter(has_text=re.compile(rf"(?<!\d){number} · \w+: ")).click()
    settle(page)


def test_a_correction_is_used_reverted_and_restored_and_others_see_what_is_kept(
    site: str, page: Page, newcomer: Callable[[], Page]
) -> None:
    visit(page, site)
    open_row(page, 1)
    expect(page.locator(".st-key-kept_list dl")).to_contain_text(REVIEW)
    assert page.evaluate("window.ran") is None
    press(page, "Use in this session")
    expect(page.locator(".st-key-session_chain summary")).to_contain_text("kept as 1")
    # The row is still open, though its label says now that it is in use.
    expect(page.locator(".st-key-kept_list summary").last).to_contain_text("in use here")
    press(page, "Revert")
    expect(page.get_by_test_id("stAlert")).to_contain_text("dropped here as well")
    expect(page.locator(".st-key-session_chain")).to_have_count(0)
    other = newcomer()
    visit(other, site)
    expect(other.locator(".st-key-kept_list summary").last).to_contain_text("reverted")
    press(page, "Undo")
    expect(page.locator(".st-key-session_chain summary")).to_contain_text("reverted there")
    visit(other, site)
    expect(other.locator(".st-key-session_chain")).to_have_count(0)
    press(page, "Restore")
    expect(page.locator(".st-key-kept_list summary").last).not_to_contain_text("reverted")
    press(page, "Model as loaded")


def test_a_note_is_changed_and_shown_as_text(site: str, page: Page) -> None:
    visit(page, site)
    row = page.locator(".st-key-kept_list summary").first
    open_row(page, 2)
    page.get_by_label("Note", exact=True).fill("<i>later</i> :material/home: *note*")
    press(page, "Save the note")
    expect(row).to_contain_text("<i>later</i>")
    expect(row).to_contain_text("*note*")
    assert row.locator("i, em").count() == 0
    page.get_by_label("Search in notes").fill("LATER")
    page.keyboard.press("Enter")
    settle(page)
    expect(page.locator(".st-key-kept_list summary")).to_have_count(1)
    press(page, "Show all")
    expect(page.locator(".st-key-kept_list summary")).to_have_count(2)


def test_the_keyboard_alone_opens_a_row_and_uses_it(site: str, page: Page) -> None:
    visit(page, site)
    tab_until(page, f"{FOCUSED}.matches('.st-key-kept_list summary')")
    page.keyboard.press("Enter")
    settle(page)
    tab_until(page, f"{FOCUSED}.innerText === 'Use in this session'")
    page.keyboard.press("Enter")
    settle(page)
    expect(page.locator(".st-key-session_chain summary")).to_have_count(1)


def test_patches_are_saved_and_brought_in_and_what_is_none_is_refused(
    site: str, page: Page, model: ConceptModel, tmp_path: Path
) -> None:
    visit(page, site)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save all as a zip").click()
    archive = tmp_path / "corrections.zip"
    download.value.save_as(archive)
    open_row(page, 1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a patch file").click()
    patch = tmp_path / "one.safetensors"
    download.value.save_as(patch)
    assert (Patch.load(patch).note, Patch.load(patch).text) == (NOTE, REVIEW)
    foreign = tmp_path / "foreign.safetensors"
    patch_of(random_edit(model, 2), model="f" * 16).save(foreign)
    page.get_by_text("Bring corrections in from files").click()
    field = page.locator(".st-key-import input[type=file]")
    field.set_input_files([patch, foreign])
    refused = page.get_by_role("alert").filter(has_text="Nothing was imported. foreign.safetensors")
    expect(refused).to_contain_text("mask bits of one model mean nothing in another")
    settle(page)
    page.locator(".st-key-import input[type=file]").set_input_files(archive)
    known = "Nothing to add. Corrections 1 and 2 were here already."
    expect(page.get_by_test_id("stAlert")).to_contain_text(known)


def test_the_chain_is_measured(site: str, page: Page) -> None:
    visit(page, site)
    page.get_by_role("button", name="Measure").click()
    expect(page.locator(".st-key-chart-chain .legend")).to_be_visible(timeout=240_000)
    settle(page)
    expect(page.get_by_text(re.compile(r"On \d+ guard reviews, after \d correction"))).to_be_visible()


def test_the_page_is_accessible_with_all_open_and_nothing_is_wider_than_it(site: str, page: Page) -> None:
    visit(page, site)
    press(page, "Use all 2 active")
    for number in range(page.locator("details summary").count()):
        page.locator("details summary").nth(number).click()
        settle(page)
    assert axe(page) == []
    for width in WIDTHS:
        assert too_wide(page, width) == []
    assert axe(page, "light") == []

"""From the click on a state to the corrected result on screen, and what a further visitor costs.

    python benchmarks/live.py --corrections 20 --visitors 4 --output benchmarks/results/live.json

Starts the app and corrects what the model reads wrong in the example reviews, and after them in the guard
reviews, in headless Chromium, one correction on top of the other. Seconds from the click to the moment that
the verdict with before and after, and the guard report, are on screen: median, and the slowest, of the first
visitor. Then the server's resident memory after each further visitor who makes as many corrections in a
session of their own; the first one is not counted, because the models that all visitors share are loaded in
that session.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from playwright.sync_api import Page

EXAMPLES = ROOT / "assets" / "reviews" / "examples.json"
POLLING = 40  # ms: at every frame, looking itself would take a third of a core
STATES = ("Negative", "Positive", "unknown")
# On screen when the table with before and after, and the guard report, are of one correction that was not
# there before; `mark` in ui/correct/corrected.py names it.
SHOWN = """() => [...document.querySelectorAll('.st-key-correction_card [data-correction], .sc-tally')]
    .map((node) => node.dataset.correction)"""
DONE = f"""(before) => {{
    const [result, report] = ({SHOWN})();
    return report !== undefined && result === report && result !== before;
}}"""


def errors(count: int) -> list[tuple[str, str, str]]:
    """What the model reads wrong in the example reviews and, after those, in the guard reviews: the first
    ``count`` of (text, concept, right state)."""
    from sparsecbm_core.models.concept_model import ConceptModel
    from ui.resources.guard_reviews import bundled
    from ui.resources.models import BUNDLED

    model = ConceptModel.from_pretrained(BUNDLED, "cpu")
    space, reviews = model.space, bundled(model.space)
    rows = json.loads(EXAMPLES.read_text(encoding="utf-8"))["examples"]
    known = [(row["text"], [row["concepts"][name] for name in space.concepts]) for row in rows]
    for item in reviews or ():
        known.append((item.text, [space.states[state] for state in item.concepts]))
    said = model.predict([text for text, _ in known]).states.tolist()
    wrong = [
        (text, concept, right)
        for (text, gold), states in zip(known, said, strict=True)
        for concept, right, state in zip(space.concepts, gold, states, strict=True)
        if space.states[state] != right
    ]
    return wrong[:count]


def corrections(page: Page, wrong: list[tuple[str, str, str]]) -> list[float]:
    """Seconds from click to result of each correction; one that earlier ones made right is passed over."""
    from benchmarks.browser import settle

    seconds: list[float] = []
    shown = None
    for text, concept, right in wrong:
        if text != shown:
            page.get_by_label("Review", exact=True).fill(text)
            page.get_by_role("button", name="Explain", exact=True).click()
            settle(page)
            shown = text
        group = page.locator(f".st-key-states-{concept}")
        number = STATES.index(right)
        option = group.get_by_role("radio").nth(number)
        if option.get_attribute("aria-checked") == "true":
            continue
        before = next(iter(page.evaluate(SHOWN)), None)
        started = time.perf_counter()
        option.click()
        page.wait_for_function(DONE, arg=before, timeout=120_000, polling=POLLING)
        seconds.append(time.perf_counter() - started)
        settle(page)
        anyway = page.get_by_role("button", name="Correct all the same")
        if anyway.count():
            anyway.click()
            settle(page)
    return seconds


def resident(port: int) -> int:
    """Bytes that the server on ``port`` holds in memory of its own: files that are mapped, which the system
    drops and reads again as it likes, do not count."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "streamlit" in command and str(port) in command:
                fields = (folder / "statm").read_text().split()
                return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
    raise RuntimeError(f"no server on port {port}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corrections", type=int, default=20)
    parser.add_argument("--visitors", type=int, default=4)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    from benchmarks.browser import CHROMIUM_FLAGS, VIEWPORT, find_chromium, serve, visit

    wrong = errors(options.corrections)
    seconds: list[list[float]] = []
    memory: list[int] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        env = {"SPARSECBM_LEDGER": str(Path(folder) / "ledger.sqlite3")}
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_FLAGS))
        with serve(Path(folder) / "server.log", env=env) as server:
            for _ in range(options.visitors + 1):
                # Every visitor stays: what a session holds is given back when its browser goes.
                page = chromium.new_context(viewport=VIEWPORT).new_page()
                visit(page, server.url, 120)
                seconds.append(corrections(page, wrong))
                memory.append(resident(int(server.url.rsplit(":", 1)[1])))
                print(f"median {statistics.median(seconds[-1]):.2f} s, {memory[-1] / 1e6:.0f} MB", flush=True)
        chromium.close()
    result = report(seconds, memory, options.corrections)
    print(json.dumps(result, indent=1))
    if options.output is not None:
        from sparsecbm_core.files import write_bytes

        write_bytes(options.output, (json.dumps(result, indent=1) + "\n").encode())


def report(seconds: list[list[float]], memory: list[int], corrections: int) -> dict[str, Any]:
    # Those who come later find the guard reviews read by the very same models.
    first, later = seconds[0], [value for visitor in seconds[1:] for value in visitor]
    further = [after - before for before, after in pairwise(memory)]
    return {
        "corrections_per_visitor": corrections,
        "corrections_made": len(first),
        "cpu_cores": os.cpu_count(),
        "first_correction_seconds": round(first[0], 3),
        "median_seconds": round(statistics.median(first), 3),
        "slowest_seconds": round(max(first), 3),
        "median_seconds_of_others": round(statistics.median(later), 3) if later else None,
        "seconds_by_visitor": [[round(value, 3) for value in visitor] for visitor in seconds],
        "resident_mb": [round(value / 1e6, 1) for value in memory],
        "mb_per_further_visitor": round(statistics.mean(further) / 1e6, 2) if further else None,
    }


if __name__ == "__main__":
    main()

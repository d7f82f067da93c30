"""From starting the server to an explained review on screen, and where the time goes.

    python benchmarks/startup.py --repeats 3 --output benchmarks/results/startup.json

Starts the app as `make app` does once packages are installed, on a cold server each time, and opens it in
headless Chromium. Medians over the repeats, in seconds from the start of the server process: the server
answers, the page's title is painted, the label is on screen, the words are coloured. Beside them
what one process spends on the same path: imports, loading, effective weights, explaining.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PARTS = """
import json, time
marks, start = {}, time.perf_counter()
def mark(name):
    global start
    marks[name] = round(time.perf_counter() - start, 3)
    start = time.perf_counter()
import torch
torch.set_num_threads(max(1, (__import__("os").cpu_count() or 2) - 1))
mark("import torch")
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.explain import explain, with_tokens
model = ConceptModel.from_pretrained("assets/models/cebab-minilm", "cpu")
mark("import transformers, read the checkpoint")
model.fingerprint
mark("fingerprint")
model.weights
mark("effective weights")
text = json.load(open("assets/reviews/examples.json", encoding="utf-8"))["examples"][0]["text"]
result = explain(model, text, None)
mark("label and concepts")
with_tokens(model, result, "integrated_gradients")
mark("words by integrated gradients, captum's import included")
print(json.dumps(marks))
"""


def visit_once() -> dict[str, float]:
    """One cold server and one new browser: seconds to each stage."""
    from playwright.sync_api import sync_playwright

    from benchmarks.browser import CHROMIUM_FLAGS, find_chromium, serve

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_FLAGS))
        page = chromium.new_page(viewport={"width": 1340, "height": 1590})
        started, seconds = time.perf_counter(), {}
        with serve(Path(folder) / "server.log") as server:
            seconds["server answers"] = time.perf_counter() - started
            page.goto(server.url)
            for name, selector in (
                ("first paint of the page", "h1"),
                ("label on screen", ".answer .sentence"),
                ("words coloured", ".review .sc-word"),
            ):
                page.wait_for_selector(selector, timeout=120_000)
                seconds[name] = time.perf_counter() - started
        chromium.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=None)
    arguments = parser.parse_args()
    runs = [visit_once() for _ in range(arguments.repeats)]
    parts = [
        json.loads(
            subprocess.run([sys.executable, "-c", PARTS], cwd=ROOT, check=True, capture_output=True).stdout
        )
        for _ in range(arguments.repeats)
    ]

    def medians(rows: list[dict[str, float]]) -> dict[str, Any]:
        return {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}

    result = {
        "repeats": arguments.repeats,
        "seconds_from_server_start": medians(runs),
        "seconds_of_each_part_in_one_process": medians(parts),
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

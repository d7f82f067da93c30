"""The README's tables of results, made of JSON files and of nothing else.

    python benchmarks/readme.py            writes them into README.md
    python benchmarks/readme.py --check    fails if one is not what the files say

A table stands between ``<!-- results: NAME -->`` and ``<!-- end -->``. The files are what
`sparsecbm evaluate`, `sparsecbm intervene-eval` and the scripts of this folder write with
``--output benchmarks/results/…``, and those of `sparsecbm reproduce` in docs/results.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from sparsecbm_core.experiments.recipes import RECIPES
from sparsecbm_core.experiments.summary import cell, overlap_cell

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RESULTS = Path(__file__).resolve().parent / "results"
REPRODUCED = ROOT / "docs" / "results"
BLOCK = re.compile(r"(<!-- results: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Cells = Sequence[str]


def result(name: str, folder: Path = RESULTS) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def table(header: Cells, rows: Iterable[Cells]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def per_cent(share: float, digits: int = 1) -> str:
    """ "90.1": the unit stands in the table's head."""
    return f"{100 * share:.{digits}f}"


def points(change: float) -> str:
    return f"{100 * change:+.2f}".replace("-", "−")


def tiny(share: float) -> str:
    """Two digits of a small share: "0.002 %"."""
    return f"{100 * share:.1g} %"


def accuracy() -> str:
    """The bundled models on dev and on the guard sets, and the dense ones they were cut from."""
    rows = []
    for what, name in (
        ("restaurant model, CEBaB dev", "dev"),
        ("the dense model it was cut from, CEBaB dev", "dense"),
        ("restaurant model, our guard set", "guard"),
        ("film model, IMDB-C dev", "films-dev"),
        ("the dense model it was cut from, IMDB-C dev", "films-dense"),
        ("film model, our guard set", "films-guard"),
    ):
        found = result(name)
        scores = (
            found[key] for key in ("concept_accuracy", "concept_macro_f1", "task_accuracy", "task_macro_f1")
        )
        rows.append([what, f"{found['examples']:,}", *map(per_cent, scores), f"{found['ece']:.3f}"])
    head = ("data", "reviews", "concept accuracy", "concept macro-F1", "label accuracy", "label macro-F1")
    return table((*head, "ECE"), rows)


def films() -> str:
    """The film model on IMDB-C dev: every concept, the paper's four first, and means over four and eight."""
    found, dense = result("films-dev")["per_concept"], result("films-dense")["per_concept"]
    kinds = ("accuracy", "macro_f1")

    def row(title: str, names: Sequence[str]) -> Cells:
        means = [fmean(report[name][kind] for name in names) for kind in kinds for report in (found, dense)]
        return [title, *map(per_cent, means)]

    names = list(found)
    rows = [row(name, [name]) for name in names]
    rows += [row("mean of the paper's four", names[:4]), row("mean of all", names)]
    return table(("concept", "accuracy", "dense", "macro-F1", "dense"), rows)


def methods() -> str:
    """Ways to train, over seeds: what being sparse and being distinct cost."""
    return _ways_to_train("table2")


def methods_films() -> str:
    """The same of IMDB-C."""
    return _ways_to_train("table2-imdb")


def _ways_to_train(name: str) -> str:
    rows = []
    for row in result(name, REPRODUCED)["results"]["rows"]:
        keys = ("concept_accuracy", "concept_macro_f1", "task_accuracy", "task_macro_f1")
        rows.append([RECIPES[row["row"]].title, *(cell(row[key]) for key in keys)])
        rows[-1].append(overlap_cell(row["jaccard"]))
    head = ("", "concept accuracy", "concept macro-F1", "label accuracy", "label macro-F1", "mean Jaccard")
    return table(head, rows)


def front() -> str:
    """Overlap against accuracy, and how much of a concept is lost under another's subnetwork."""
    rows = []
    for row in result("front", REPRODUCED)["results"]["rows"]:
        way = f"λ = {row['lambda']:g}" if row["way"] == "penalty" else row["way"]
        overlap = overlap_cell(row["jaccard"], digits=3)
        figures = (row["concept_accuracy"], row["task_accuracy"], row["wrong_mask_drop"])
        rows.append([way, overlap, *map(cell, figures)])
    head = ("", "mean Jaccard", "concept accuracy", "label accuracy", "lost under another's subnetwork")
    return table(head, rows)


def sweep() -> str:
    """What was tried for the restaurant model: ways to make subnetworks, from one dense model."""
    runs = result("sweep")["runs"]
    keys = ("concept_accuracy", "concept_macro_f1", "task_accuracy", "label_from_states")
    dense = [run for run in runs if run["kind"] == "cbm"]
    taught = max(len(run["teachers"]) for run in runs)
    if {run["seed"] for run in dense} != set(range(taught)):
        raise ValueError("the dense models of the sweep are not those that taught")
    spreads = ({"mean": fmean(v), "std": stdev(v)} for v in ([run[key] for run in dense] for key in keys))
    title, dropout = f"dense, seeds 0 to {taught - 1}", f"{dense[0]['dropout']:g}"
    rows = [[title, dropout, "–", "–", *map(cell, spreads), "–"]]
    bundled = result("dev")["model"]
    for run in runs:
        if run["kind"] == "cbm":
            continue
        way = "partition" if run["method"] == "partition" else f"λ = {run['exclusivity']:g}"
        way += ", " + run["criterion"].replace("_", "-").replace("diagonal-fisher", "diagonal Fisher")
        way += "" if run["teachers"] else ", taught by its own dense model"
        way += f", {len(run['teachers'])} teachers" if 0 < len(run["teachers"]) < taught else ""
        way += f", γ = {run['gamma']:g}" if run["gamma"] != 0.4 else ""
        way = f"**{way}** (bundled)" if run["model"] == bundled else way
        lost = run["lost_under_other_masks"]
        figures = (per_cent(run[key]) for key in keys)
        shares = (f"{run['dropout']:g}", f"{run['distillation']:g}", f"{run['jaccard']:.2f}")
        rows.append([way, *shares, *figures, "–" if lost is None else per_cent(lost)])
    head = ("", "dropout", "distillation", "mean Jaccard", "concept accuracy", "concept macro-F1")
    last = ("label accuracy", "label from predicted states", "lost under another's subnetwork")
    return table((*head, *last), rows)


def interventions() -> str:
    """Single corrections by each rule."""
    rows = []
    for rule, row in result("interventions")["rules"].items():
        same, delta = row["guard_unchanged"], row["guard_accuracy_delta"]
        weights = row["weights_flipped_median"]
        rows.append(
            [
                rule,
                f"{100 * row['efficacy']:.0f} %",
                "none" if not weights else tiny(weights),
                f"{per_cent(same['concept'])} %",
                f"{per_cent(same['label'])} %",
                points(delta["concept"]),
                f"{row['seconds_median']:.1f} s",
            ]
        )
    head = ("rule", "right when the review comes again", "weights flipped, median", "same concept unchanged")
    return table((*head, "label unchanged", "concept accuracy, points", "time, median"), rows)


def chains() -> str:
    """Corrections one after the other, without reset."""
    rows = []
    for rule, chain in result("interventions")["sequential"].items():
        shown = chain[1:] if rule == "guarded" else chain[-1:]
        for row in shown:
            rows.append(
                [
                    rule,
                    str(row["corrections"]),
                    f"{100 * row['still_right']:.0f} %",
                    f"{per_cent(row['concept_accuracy_start'])} → {per_cent(row['concept_accuracy'])}",
                    f"{per_cent(row['label_accuracy_start'])} → {per_cent(row['label_accuracy'])}",
                    f"{row['drift']:,}",
                ]
            )
    head = ("rule", "corrections", "still right", "concept accuracy, other reviews", "label accuracy")
    return table((*head, "bits changed"), rows)


def live() -> str:
    """What a person waits for in the browser."""
    found, start = result("live"), result("startup")["seconds_from_server_start"]
    many = result("live_long")
    long, others = many["seconds_by_visitor"][0], many["seconds_by_visitor"][1:]
    first, later = found["seconds_by_visitor"][0], found["seconds_by_visitor"][1:]
    again = sorted(value for visitor in later for value in visitor)
    rows = [
        (
            f"from the click on a state to before, after and the guard report on screen: median (slowest) of "
            f"{len(first)} corrections",
            f"{found['median_seconds']:.1f} ({found['slowest_seconds']:.1f}) s",
            "≤ 2 s",
        ),
        (
            f"… of {len(long)} corrections in a row, five of them of reviews of 2,780 characters, with "
            "other work beside it",
            f"{many['median_seconds']:.1f} ({many['slowest_seconds']:.1f}) s",
            "",
        ),
        (
            "… of visitors who correct what another one corrected before",
            f"{again[len(again) // 2]:.1f} s",
            "",
        ),
        (
            f"memory of a further visitor with {len(long)} corrections, mean of {len(others)}",
            f"{many['mb_per_further_visitor']:.1f} MB".replace("-", "−"),
            "≤ 5 MB",
        ),
        (
            "from starting the server to first paint / label / coloured words",
            " / ".join(
                f"{start[key]:.1f}"
                for key in ("first paint of the page", "label on screen", "words coloured")
            )
            + " s",
            "",
        ),
    ]
    return table(("in headless Chromium, 2 cores, one run", "measured", "aim"), rows)


def speed() -> str:
    """Ratios, each measured side by side in one run."""
    explain, correct, step = result("explain"), result("intervene"), result("masked_epoch")
    memory = explain["peak_rss_gb"]
    rows = [
        (
            f"label, all concepts and gradient word scores of a {explain['tokens']}-token review",
            f"{explain['milliseconds']['ours']:.0f} ms",
            "",
        ),
        (
            "… against the published way: K passes padded to 512, masks multiplied in each",
            f"{explain['ratios']['published / ours']:.1f} × faster",
            "≥ 15 ×",
        ),
        (
            "… against K forward and backward passes of the dense model",
            f"{explain['ratios']['ours / dense']:.2f} ×",
            "≤ 0.7 ×",
        ),
        (
            "peak memory of a process that loads the model and explains one review, by gradient / integrated "
            "gradients",
            f"{memory['gradient']:.2f} / {memory['integrated_gradients']:.2f} GB",
            "≤ 1.2 GB",
        ),
        (
            "40 training steps under 4 scattered masks, batches of 32, against dense ones",
            f"{step['ratio']:.1f} ×",
            "≤ 4.4 ×",
        ),
        (
            "choosing the bits of a correction, against two full sorts of every matrix as published",
            f"{correct['ratios']['published / ours, selection']:.1f} × faster",
            "≥ 10 ×",
        ),
        (
            "… the whole correction against the published one; against one forward and backward pass",
            f"{correct['ratios']['published / ours, whole']:.1f} × faster; "
            f"{correct['ratios']['ours / pass']:.0f} × as long",
            "",
        ),
        (
            f"the report on {correct['guard']['reviews']} guard reviews, against reading them exactly",
            f"{correct['ratios']['guard exact / quick']:.1f} × faster",
            "",
        ),
    ]
    return table(("medians; 2 threads, corrections and guard report 1", "measured", "aim"), rows)


TABLES: dict[str, Callable[[], str]] = {
    make.__name__: make
    for make in (accuracy, films, methods, methods_films, front, sweep, interventions, chains, speed, live)
}


def filled(text: str) -> str:
    """The README with every table made anew; `KeyError` for a name that is not in `TABLES`."""
    return BLOCK.sub(lambda block: f"{block[1]}{TABLES[block[2]]()}{block[3]}", text)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a table is old")
    arguments = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    new = filled(text)
    if arguments.check:
        if new != text:
            print("README.md is not what benchmarks/results says: run python benchmarks/readme.py")
        return int(new != text)
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

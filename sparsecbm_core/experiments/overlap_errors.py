"""Do concepts whose subnetworks share weights err together?

Each model given is one part. For every pair of its concepts: the Jaccard index of the two masks, and phi, the
correlation of their errors over the reviews of a split, with and without what review length and label explain
of both. Over all pairs and models then Spearman's ρ between overlap and phi, in two ways:

- *across pairs*: all points as they are. Some concepts are hard in the same reviews whatever the masks are,
  so this alone says little of the masks. For the interval pairs of concepts are drawn whole, over all models.
- *within pairs*: of each pair its own mean over the models is taken off, of overlap and phi alike. What is
  left compares models that overlap more with models that overlap less, on the same pair. Models are drawn
  whole.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.experiment import Measured, Part, Results, Row, Table
from sparsecbm_core.experiments.lab import Lab, describe_model, measured_model
from sparsecbm_core.experiments.options import BUNDLED, Choice
from sparsecbm_core.models.record import SPARSE, read_record
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.figures import Series

NAME, TITLE = "overlap-errors", "Overlap of subnetworks, and errors in common"
CLAIM = (
    "An open question: whether two concepts whose masks share weights are also misread in the same "
    "reviews. Overlap is the Jaccard index of the masks, errors in common the phi coefficient."
)
LEAST = 8  # pairs, or models, drawn: an interval over fewer is too narrow to believe
TIMED = 16  # reviews read against the clock
FIGURES = (("phi", "errors in common (phi)"), ("partial", "the same without length and label"))


@dataclass(frozen=True)
class Options:
    model: Annotated[
        tuple[Path, ...], Choice("SparseCBM checkpoint; more than one may be given.", repeats=True)
    ] = (BUNDLED,)
    split: Annotated[str, Choice("Split on which errors are counted.")] = "dev"


def parts(lab: Lab, options: Options) -> list[Part]:
    """One for each model."""
    if not options.model:
        raise InputError("there is no model to look at; name at least one with --model")
    found = []
    for name, folder in zip(_names(options.model), options.model, strict=True):
        if read_record(folder).kind != SPARSE:
            raise InputError(f"{folder} is no SparseCBM: it has no masks, and so no overlap")
        settings = measured_model(lab, folder, options.split)
        units = len(lab.reviews(options.split)) / TIMED
        found.append(Part({"model": name}, units, settings, partial(measure, lab, folder, options.split)))
    return found


def _names(folders: Sequence[Path]) -> list[str]:
    """What results call the models: by their folder, or where that is a run's "model" by how it was trained;
    those of the same name by their fingerprint as well."""
    names = [
        path.name if path.name != "model" else trained(path.name, read_record(path).training)
        for path in folders
    ]
    return [
        name if names.count(name) == 1 else f"{name} {describe_model(path)['fingerprint']}"
        for name, path in zip(names, folders, strict=True)
    ]


def trained(name: str, training: Row) -> str:
    """What tells a model of a run from others: "λ = 0.5, taught, seed 0"; its name where nothing does."""
    settings = training.get("settings", {})
    prune = settings.get("prune") or {}
    if "exclusivity" not in prune:
        return name
    words = ["partition" if prune.get("method") == "partition" else f"λ = {prune['exclusivity']:g}"]
    words += ["taught"] if settings.get("distillation") else []
    return ", ".join([*words, f"seed {settings['seed']}"])


def measure(lab: Lab, folder: Path, split: str, report: OnWork) -> dict[str, Any]:
    from sparsecbm_core.evaluate.error_overlap import error_overlap

    model = lab.load(folder)
    data = lab.reviews(split, model.space)
    said = model.predict(data.texts, on_progress=lambda done, total: report(done, total, "reading"))
    return {"examples": len(data), "pairs": [pair.to_dict() for pair in error_overlap(model, data, said)]}


def unit(lab: Lab, options: Options) -> float:
    """Reading `TIMED` reviews."""
    model = lab.load(options.model[0])
    texts = lab.reviews(options.split, model.space).texts[:TIMED]
    model.predict(texts[:1])
    started = time.perf_counter()
    model.predict(texts)
    return time.perf_counter() - started


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """All pairs of all models, and how overlap and errors go together over them."""
    rows = [
        {**part.labels, **pair, "examples": part.result["examples"]}
        for part in parts
        for pair in part.result["pairs"]
    ]
    return {"rows": rows, "together": [_together(rows, name) for name, _ in FIGURES]}


def _together(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """Spearman's ρ of Jaccard and one of the `FIGURES`, across pairs and within them."""
    from sparsecbm_core.evaluate.error_overlap import rank_correlation

    known = [row for row in rows if row[name] is not None]
    pairs = [" and ".join(sorted((row["first"], row["second"]))) for row in known]
    x, y = [row["jaccard"] for row in known], [row[name]["value"] for row in known]
    kept = [i for i, pair in enumerate(pairs) if pairs.count(pair) > 1]
    own_x, own_y = (_centred([values[i] for i in kept], [pairs[i] for i in kept]) for values in (x, y))
    within = rank_correlation(own_x, own_y, [known[i]["model"] for i in kept])
    found: dict[str, Any] = {"figure": name}
    ways = (("across", rank_correlation(x, y, pairs), "pairs of concepts"), ("within", within, "models"))
    for way, interval, what in ways:
        found[way] = None if interval is None else asdict(interval)
        found[f"{way}_said"] = said(found[way], what)
    return found


def _centred(values: Sequence[float], pairs: Sequence[str]) -> list[float]:
    """Without the mean of each pair; to 12 digits, so that equal values stay equal."""
    means = {
        pair: statistics.mean(v for v, name in zip(values, pairs, strict=True) if name == pair)
        for pair in set(pairs)
    }
    return [round(value - means[pair], 12) for value, pair in zip(values, pairs, strict=True)]


def said(interval: Row | None, what: str) -> str:
    """What a rank correlation tells, in words; ``what`` was drawn for its interval."""
    if interval is None or interval["low"] is None:
        return f"cannot be told: it takes at least two {what} that differ"
    count = interval["clusters"]
    if count < LEAST:
        return f"too few to tell: {count} {what}, and fewer than {LEAST} make an interval too narrow"
    if interval["low"] > 0:
        return "more overlap goes with more errors in common"
    if interval["high"] < 0:
        return "more overlap goes with fewer errors in common"
    return "no connection that these would show"


def tables(results: Results) -> list[Table]:
    models: dict[str, list[Row]] = {}
    for row in results["rows"]:
        models.setdefault(row["model"], []).append(row)
    columns: list[shown.Column] = [
        ("model", "model"),
        ("pairs", lambda row: str(len(row["pairs"]))),
        ("mean Jaccard of the masks", _mean(lambda pair: pair["jaccard"], 3)),
        ("by chance", _mean(lambda pair: pair["chance"], 3)),
        ("both wrong", lambda row: f"{sum(pair['both_wrong'] for pair in row['pairs']):,}"),
        ("if independent", lambda row: f"{sum(pair['expected'] for pair in row['pairs']):,.0f}"),
        ("mean phi of the errors", _mean(lambda pair: pair["phi"] and pair["phi"]["value"], 2)),
        ("without length and label", _mean(lambda pair: pair["partial"] and pair["partial"]["value"], 2)),
    ]
    titles = dict(FIGURES)
    together = [
        [titles[item["figure"]], way, _interval(item[key]), item[f"{key}_said"]]
        for item in results["together"]
        for way, key in (("across pairs", "across"), ("within pairs, between models", "within"))
    ]
    return [
        shown.table(
            "Models, over all pairs of their concepts (the pairs are in the JSON file)",
            [{"model": model, "pairs": pairs} for model, pairs in models.items()],
            columns,
        ),
        Table(
            "Overlap against errors in common: Spearman's ρ",
            ["errors", "compared", "ρ", "what it says"],
            together,
        ),
    ]


def _mean(figure: Callable[[Row], float | None], digits: int) -> Callable[[Row], str]:
    """Writes the mean of a figure over the pairs that have it."""

    def write(row: Row) -> str:
        known = [value for value in map(figure, row["pairs"]) if value is not None]
        return shown.number(statistics.mean(known) if known else None, scale=1, digits=digits)

    return write


def _interval(interval: Row | None) -> str:
    if interval is None:
        return "–"
    text = f"{interval['value']:.2f}"
    if interval["low"] is not None:
        text += f" [{interval['low']:.2f}, {interval['high']:.2f}]"
    return text.replace("-", "−")


def draw(results: Results) -> go.Figure | None:
    """Errors in common against overlap, a point for each pair of each model. Marks tell pairs apart, or
    models where these are no more."""
    from sparsecbm_core.figures import Plot, plots_figure

    def pair(row: Row) -> str:
        return f"{row['first']}, {row['second']}"

    def model(row: Row) -> str:
        return str(row["model"])

    kinds = [len(set(map(name, results["rows"]))) for name in (pair, model)]
    marked, other = (pair, model) if kinds[0] < kinds[1] else (model, pair)
    plots = []
    for name, title in FIGURES:
        known = [row for row in results["rows"] if row[name] is not None]
        marks = dict.fromkeys(map(marked, known))
        series = [_series(mark, [row for row in known if marked(row) == mark], name, other) for mark in marks]
        title = title[:1].upper() + title[1:]
        plots.append(Plot(title, series, "Jaccard of the masks", "correlation", "number", True))
    return plots_figure(plots) if any(plot.series for plot in plots) else None


def _series(mark: str, rows: Sequence[Row], name: str, text: Callable[[Row], str]) -> Series:
    from sparsecbm_core.figures import Series

    values, lows, highs = ([row[name][end] for row in rows] for end in ("value", "low", "high"))
    x = [row["jaccard"] for row in rows]
    return Series(mark, x, values, lows, highs, list(map(text, rows)), joined=False)

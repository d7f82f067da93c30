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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments.experiment import Experiment, Measured, Part, Table
from sparsecbm_core.experiments.lab import describe_model
from sparsecbm_core.experiments.options import BUNDLED, Choice
from sparsecbm_core.experiments.summary import number
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.lab import Lab

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
    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.files import read_json

    if not options.model:
        raise InputError("there is no model to look at; name at least one with --model")
    found = []
    for name, folder in zip(_names(options.model), options.model, strict=True):
        config = read_json(folder / "config.json")
        if config.get("kind") != "sparse":
            raise InputError(f"{folder} is no SparseCBM: it has no masks, and so no overlap")
        space = ConceptSpace.from_dict(config["space"])
        settings = {**describe_model(folder), "measured": lab.about(options.split, space)}
        cost = len(lab.reviews(options.split, space)) / TIMED
        found.append(Part({"model": name}, cost, settings, _measure(lab, folder, options.split)))
    return found


def _names(folders: Sequence[Path]) -> list[str]:
    """What results call the models: by their folder, or where that is a run's "model" by how it was trained;
    those of the same name by their fingerprint as well."""
    names = [_trained(path) if path.name == "model" else path.name for path in folders]
    return [
        name if names.count(name) == 1 else f"{name} {describe_model(path)['fingerprint']}"
        for name, path in zip(names, folders, strict=True)
    ]


def _trained(folder: Path) -> str:
    """What tells a model of a run from others: "λ = 0.5, taught, seed 0"."""
    from sparsecbm_core.files import read_json

    settings = read_json(folder / "config.json").get("training", {}).get("settings", {})
    prune = settings.get("prune") or {}
    if "exclusivity" not in prune:
        return folder.name
    words = ["partition" if prune.get("method") == "partition" else f"λ = {prune['exclusivity']:g}"]
    words += ["taught"] if settings.get("distillation") else []
    return ", ".join([*words, f"seed {settings['seed']}"])


def _measure(lab: Lab, folder: Path, split: str) -> Any:
    def go(report: OnWork) -> dict[str, Any]:
        from sparsecbm_core.evaluate.error_overlap import error_overlap
        from sparsecbm_core.models.concept_model import ConceptModel

        model = ConceptModel.from_pretrained(folder, lab.device)
        data = lab.reviews(split, model.space)
        said = model.predict(data.texts, on_progress=lambda done, total: report(done, total, "reading"))
        return {
            "examples": len(data),
            "pairs": [pair.to_dict() for pair in error_overlap(model, data, said)],
        }

    return go


def unit(lab: Lab, options: Options) -> float:
    """Reading `TIMED` reviews."""
    import time

    from sparsecbm_core.models.concept_model import ConceptModel

    model = ConceptModel.from_pretrained(options.model[0], lab.device)
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


def _together(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Spearman's ρ of Jaccard and one of the `FIGURES`, across pairs and within them."""
    from sparsecbm_core.evaluate.error_overlap import rank_correlation

    known = [row for row in rows if row[name] is not None]
    pairs = [" and ".join(sorted((row["first"], row["second"]))) for row in known]
    models = [row["model"] for row in known]
    x, y = [row["jaccard"] for row in known], [row[name]["value"] for row in known]
    across = rank_correlation(x, y, pairs)
    many = [pair for pair in dict.fromkeys(pairs) if pairs.count(pair) > 1]
    kept = [i for i, pair in enumerate(pairs) if pair in many]
    within = rank_correlation(
        _centred([x[i] for i in kept], [pairs[i] for i in kept]),
        _centred([y[i] for i in kept], [pairs[i] for i in kept]),
        [models[i] for i in kept],
    )
    found: dict[str, Any] = {"figure": name}
    for way, interval, what in (("across", across, "pairs of concepts"), ("within", within, "models")):
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


def said(interval: Mapping[str, Any] | None, what: str) -> str:
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


def tables(results: Mapping[str, Any]) -> list[Table]:
    models = dict.fromkeys(row["model"] for row in results["rows"])
    rows = [_row(model, [row for row in results["rows"] if row["model"] == model]) for model in models]
    header = ["model", "pairs", "mean Jaccard of the masks", "by chance", "both wrong", "if independent"]
    header += ["mean phi of the errors", "without length and label"]
    titles = dict(FIGURES)
    together = [
        [titles[item["figure"]], way, _interval(item[key]), item[f"{key}_said"]]
        for item in results["together"]
        for way, key in (("across pairs", "across"), ("within pairs, between models", "within"))
    ]
    return [
        Table("Models, over all pairs of their concepts (the pairs are in the JSON file)", header, rows),
        Table(
            "Overlap against errors in common: Spearman's ρ",
            ["errors", "compared", "ρ", "what it says"],
            together,
        ),
    ]


def _row(model: str, pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sums of reviews, means of everything else."""
    phi, partial = ([row[name]["value"] for row in pairs if row[name] is not None] for name, _ in FIGURES)
    return [
        model,
        str(len(pairs)),
        number(_mean([row["jaccard"] for row in pairs]), scale=1, digits=3),
        number(_mean([row["chance"] for row in pairs]), scale=1, digits=3),
        f"{sum(row['both_wrong'] for row in pairs):,}",
        f"{sum(row['expected'] for row in pairs):,.0f}",
        number(_mean(phi), scale=1, digits=2),
        number(_mean(partial), scale=1, digits=2),
    ]


def _mean(values: Sequence[float]) -> float | None:
    return statistics.mean(values) if values else None


def _interval(interval: Mapping[str, Any] | None) -> str:
    if interval is None:
        return "–"
    text = f"{interval['value']:.2f}"
    if interval["low"] is not None:
        text += f" [{interval['low']:.2f}, {interval['high']:.2f}]"
    return text.replace("-", "−")


def draw(results: Mapping[str, Any]) -> go.Figure | None:
    """Errors in common against overlap, a point for each pair of each model. Marks tell pairs apart, or
    models where these are no more."""
    from sparsecbm_core.figures import Plot, Series, plots_figure

    def pair(row: Mapping[str, Any]) -> str:
        return f"{row['first']}, {row['second']}"

    def model(row: Mapping[str, Any]) -> str:
        return str(row["model"])

    kinds = [len(set(map(name, results["rows"]))) for name in (pair, model)]
    marked, other = (pair, model) if kinds[0] < kinds[1] else (model, pair)
    plots = []
    for name, title in FIGURES:
        known = [row for row in results["rows"] if row[name] is not None]
        series = []
        for mark in dict.fromkeys(map(marked, known)):
            own = [row for row in known if marked(row) == mark]
            series.append(
                Series(
                    mark,
                    [row["jaccard"] for row in own],
                    [row[name]["value"] for row in own],
                    [row[name]["low"] for row in own],
                    [row[name]["high"] for row in own],
                    list(map(other, own)),
                    joined=False,
                )
            )
        plots.append(
            Plot(title[:1].upper() + title[1:], series, "Jaccard of the masks", "correlation", "number", True)
        )
    return plots_figure(plots) if any(plot.series for plot in plots) else None


EXPERIMENT = Experiment(
    name="overlap-errors",
    title="Overlap of subnetworks, and errors in common",
    claim=(
        "An open question: whether two concepts whose masks share weights are also misread in the same "
        "reviews. Overlap is the Jaccard index of the masks, errors in common the phi coefficient."
    ),
    options=Options,
    parts=parts,
    unit=unit,
    summary=summary,
    tables=tables,
    draw=draw,
)

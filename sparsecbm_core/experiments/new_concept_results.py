"""What a concept came to that was added later: accuracy against labelled reviews, beside a linear probe."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.experiments.experiment import Measured, Table
from sparsecbm_core.experiments.summary import cell, spread

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.figures import Curve

START = "from the start"  # the kind of weights of a model that was trained on all concepts
FIGURES = ("learned", "learned_macro_f1", "probe", "probe_macro_f1", "majority", "density")
MEAN = "mean"
TITLE = "Accuracy of a concept that was added later (per cent; ± over samples of reviews and seeds)"


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """For each concept, kind of weights and size the `spread` of every figure over samples and seeds.

    Then that of the mean over concepts, where all were measured. ``others_moved`` is a sum: it has to be 0.
    """
    start: dict[str, list[float]] = {}
    groups: dict[tuple[Any, ...], list[Measured]] = {}
    for part in parts:
        if part.labels["weights"] == START:
            for concept, values in part.result["per_concept"].items():
                start.setdefault(concept, []).append(values["accuracy"])
            continue
        key = tuple(part.labels[name] for name in ("concept", "weights", "reviews"))
        groups.setdefault(key, []).append(part)
    rows: list[dict[str, Any]] = []
    for (concept, weights, size), members in groups.items():
        row = {"concept": concept, "weights": weights, "size": size, "reviews": members[0].result["reviews"]}
        row |= {name: spread(part.result[name] for part in members) for name in FIGURES}
        row["others_moved"] = sum(part.result["others_moved"] for part in members)
        rows.append({**row, "start": spread(start.get(concept, ()))})
    concepts = list(dict.fromkeys(row["concept"] for row in rows))
    for weights, size in dict.fromkeys((row["weights"], row["size"]) for row in rows):
        own = [row for row in rows if (row["weights"], row["size"]) == (weights, size)]
        if len(own) == len(concepts) > 1:
            members = [part for row in own for part in groups[row["concept"], weights, size]]
            rows.append(_mean_row(own, members, start))
    return {"rows": rows}


def _mean_row(
    own: Sequence[Mapping[str, Any]], members: Sequence[Measured], start: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """The mean over the concepts of rows; its deviation, as theirs, is that over samples and seeds."""
    first = own[0]
    row = {"concept": MEAN, "weights": first["weights"], "size": first["size"], "reviews": first["reviews"]}
    draws: dict[tuple[Any, ...], list[Measured]] = {}
    for part in members:
        draws.setdefault((part.labels["draw"], part.labels["seed"]), []).append(part)
    whole = [parts for parts in draws.values() if len(parts) == len(own)]
    for name in FIGURES:
        row[name] = spread(statistics.mean(part.result[name] for part in parts) for parts in whole)
    by_seed = zip(*(start.get(item["concept"], ()) for item in own), strict=False)
    row["start"] = spread(map(statistics.mean, by_seed))
    return {**row, "others_moved": sum(item["others_moved"] for item in own)}


def tables(results: Mapping[str, Any]) -> list[Table]:
    rows = [
        [
            row["concept"],
            row["weights"],
            f"{row['reviews']:,}",
            cell(row["learned"]),
            cell(row["probe"]),
            cell(row["majority"]),
            cell(row["start"]),
            cell(row["learned_macro_f1"]),
            cell(row["probe_macro_f1"]),
            cell(row["density"]),
            str(row["others_moved"]),
        ]
        for row in results["rows"]
    ]
    header = ["new concept", "weights", "labelled reviews", "mask and head", "linear probe"]
    header += ["most frequent state", "trained from the start", "macro-F1, mask and head", "linear probe"]
    header += ["weights kept", "readings of others that changed"]
    return [Table(TITLE, header, rows)]


def draw(results: Mapping[str, Any]) -> go.Figure | None:
    """Accuracy against the number of labelled reviews, a panel for each concept and for their mean."""
    from sparsecbm_core.figures import Level, Panel, curves_figure

    rows, panels = results["rows"], []
    for concept in dict.fromkeys(row["concept"] for row in rows):
        own = sorted((row for row in rows if row["concept"] == concept), key=lambda row: row["reviews"])
        kinds = list(dict.fromkeys(row["weights"] for row in own))
        curves = [
            _curve(
                f"mask and head, {kind} weights", [row for row in own if row["weights"] == kind], "learned"
            )
            for kind in kinds
        ]
        first = [row for row in own if row["weights"] == kinds[0]]
        curves.append(_curve("linear probe", first, "probe"))
        curves.append(_curve("most frequent state", first, "majority"))
        level = own[0]["start"]
        levels = [] if level is None else [Level("trained from the start", level["mean"])]
        panels.append(Panel("Mean over concepts" if concept == MEAN else concept, curves, levels))
    return curves_figure(panels, "labelled reviews", "accuracy", log_x=True) if panels else None


def _curve(name: str, rows: Sequence[Mapping[str, Any]], figure: str) -> Curve:
    from sparsecbm_core.figures import Curve

    return Curve(
        name,
        [row["reviews"] for row in rows],
        [row[figure]["mean"] for row in rows],
        [row[figure]["std"] for row in rows],
    )

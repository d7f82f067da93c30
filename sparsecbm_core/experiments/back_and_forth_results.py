"""What became of concepts that were corrected to and fro: curves, a verdict in words, table and picture."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.experiments.experiment import Measured, Table
from sparsecbm_core.experiments.summary import number

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.figures import Series

SETTLED, GROWING = 0.95, 1.1  # share of reviews that repeat; drift at the end against half-way


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """For each way, rule and seed the curves, what became of the masks, and a verdict in words."""
    return {"rows": [{**part.labels, **_row(part.result)} for part in parts]}


def _row(result: Mapping[str, Any]) -> dict[str, Any]:
    swings, count = result["swings"], result["disputes"]
    each = count // len(swings)  # disputes in one model
    mean = {
        name: [statistics.mean(values) / scale for values in zip(*(one[name] for one in swings), strict=True)]
        for name, scale in (
            ("reached", each),
            ("held", each),
            ("probability", 1),
            ("flipped", each),
            ("drift", 1),
        )
    }
    rounds = len(mean["drift"])
    last, half = rounds - rounds % 2, max(2, rounds // 2 // 2 * 2)  # rounds that end where all began
    settled = [_settled_after(one["moved"]) for one in swings]
    known = [after for after in settled if after is not None]
    row = {
        "disputes": count,
        "prunable_weights": result["prunable_weights"],
        "curves": {**mean, "returned": _returned(swings)},
        "others": result["others"],
        "concept_change": result["concept_change"],
        "label_change": result["label_change"],
        "reached_first": statistics.mean(mean["reached"][:2]),
        "reached_last": statistics.mean(mean["reached"][-2:]),
        "flipped_first": statistics.mean(mean["flipped"][:2]),
        "flipped_last": statistics.mean(mean["flipped"][-2:]),
        "drift_half": mean["drift"][half - 1],
        "drift_end": mean["drift"][last - 1],
        "home": statistics.mean(one["drift"][last - 1] == 0 for one in swings),
        "settled": len(known) / len(settled),
        "settled_after": statistics.median(known) if known else None,
        "seconds_median": result["seconds_median"],
    }
    return {**row, "verdict": verdict(row)}


def _settled_after(moved: Sequence[int | None]) -> int | None:
    """The round whose masks come back after two more, and so on to the end, 0 for the masks at the start.

    None unless the last two rounds both return: both states have to come back."""
    if any(moved[-2:]) or None in moved[-2:]:
        return None
    first = len(moved)
    while first > 1 and moved[first - 1] == 0:
        first -= 1
    return first - 1


def _returned(swings: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """By round, the share of models whose masks are bit for bit what they were two rounds before."""
    columns = zip(*(one["moved"] for one in swings), strict=True)
    return [None if None in values else statistics.mean(value == 0 for value in values) for values in columns]


def verdict(row: Mapping[str, Any]) -> str:
    """What the figures of a row come to, by rules that are the same for all.

    The masks *repeat* where `SETTLED` of the models are in a cycle; else they *drift on* where the bits that
    differ at the end are over `GROWING` times those half-way; else they *stay near*. Other reviews get worse
    where the whole interval of a change of accuracy is below 0.
    """
    if row["settled"] >= SETTLED:
        masks = "the masks repeat exactly"
    elif row["drift_end"] > GROWING * row["drift_half"]:
        masks = "the masks drift on"
    else:
        masks = "the masks stay near, without repeating"
    reach = "every correction still works"
    if row["reached_last"] < 1:
        less = row["reached_last"] < row["reached_first"]
        reach = "corrections fail more often" if less else "some corrections fail, from the start"
    worse = [what for what in ("concept", "label") if (row[f"{what}_change"]["high"] or 0.0) < 0]
    others = f"other reviews get worse ({', '.join(worse)})" if worse else "no loss shown on other reviews"
    return f"{masks}; {reach}; {others}"


def tables(results: Mapping[str, Any]) -> list[Table]:
    rows = []
    for row in results["rows"]:
        after = row["settled_after"]
        rows.append(
            [
                row["way"],
                row["rule"],
                f"{row['seed']:g}",
                str(row["disputes"]),
                str(len(row["curves"]["drift"])),
                _both(number(row["reached_first"], digits=0), number(row["reached_last"], digits=0)),
                _both(f"{row['flipped_first']:,.0f}", f"{row['flipped_last']:,.0f}"),
                _both(f"{row['drift_half']:,.0f}", f"{row['drift_end']:,.0f}"),
                number(row["home"], digits=0),
                number(row["settled"], digits=0) + _since(after),
                _change(row["concept_change"]),
                _change(row["label_change"]),
                row["verdict"],
            ]
        )
    header = ["way", "rule", "seed", "reviews", "rounds", "reached, first → last two rounds"]
    header += ["bits a correction flips, first → last", "bits that differ from the start, half-way → end"]
    header += ["back at the start exactly", "repeat exactly", "concept acc. of other reviews, points"]
    header += ["label acc.", "verdict"]
    return [Table("To and fro (per cent of reviews or models, where nothing else is said)", header, rows)]


def _since(after: float | None) -> str:
    if after is None:
        return ""
    return f", after round {after:g}" if after else ", from the start"


def _both(first: str, last: str) -> str:
    return first if first == last else f"{first} → {last}"


def _change(interval: Mapping[str, Any]) -> str:
    value = f"{100 * interval['value']:+.1f}"
    if interval["low"] is not None:
        value += f" [{100 * interval['low']:+.1f}, {100 * interval['high']:+.1f}]"
    return value.replace("-", "−")


def draw(results: Mapping[str, Any]) -> go.Figure:
    """Round by round: reached, drift, exact returns, and the accuracy on other reviews."""
    from sparsecbm_core.figures import Plot, Series, plots_figure

    rows = results["rows"]
    many = len({row["seed"] for row in rows}) > 1

    def series(name: str) -> list[Series]:
        found = []
        for row in rows:
            known = [(i + 1, y) for i, y in enumerate(row["curves"][name]) if y is not None]
            found.append(Series(_name(row, many), [x for x, _ in known], [y for _, y in known]))
        return found

    def others(what: str) -> list[Series]:
        return [Series(_name(row, many), row["others"]["rounds"], row["others"][what]) for row in rows]

    x = "round"
    return plots_figure(
        [
            Plot("Reached", series("reached"), x, "share of corrections"),
            Plot("Bits that differ from the start", series("drift"), x, "mask bits", "count", zero=True),
            Plot("Probability of the state asked for", series("probability"), x, "mean probability"),
            Plot("Masks exactly as two rounds before", series("returned"), x, "share of models"),
            Plot("The same concepts of other reviews", others("concept"), x, "accuracy"),
            Plot("The label of other reviews", others("label"), x, "accuracy"),
        ]
    )


def _name(row: Mapping[str, Any], many: bool) -> str:
    return f"{row['rule']}, {row['way']}" + (f", seed {row['seed']:g}" if many else "")

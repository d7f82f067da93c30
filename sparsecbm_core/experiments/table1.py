"""Table 1: what the data sets are made of, counted anew beside the published counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.data.stats import dataset_stats
from sparsecbm_core.experiments import shown
from sparsecbm_core.experiments.experiment import Labels, Measured, Part, Results, Row, Table
from sparsecbm_core.experiments.lab import Lab
from sparsecbm_core.experiments.options import Choice
from sparsecbm_core.experiments.published import TABLE1

if TYPE_CHECKING:
    import plotly.graph_objects as go


NAME, TITLE = "table1", "Table 1: the data"
CLAIM = "What the data sets hold: reviews by split, and how often each concept is in each state."


@dataclass(frozen=True)
class Options:
    splits: Annotated[
        tuple[str, ...], Choice("Splits to count; default: train, dev (cebab: train_exclusive, dev).")
    ] = ()


def parts(lab: Lab, options: Options) -> list[Part]:
    """One part: a set of splits is counted as a whole."""
    names = options.splits or tuple(dict.fromkeys(lab.splits(None, None)))
    reviews = [lab.reviews(name) for name in names]
    labels: Labels = {"splits": "+".join(names)}
    settings = {"data": [lab.about(name) for name in names]}
    return [Part(labels, 1, settings, lambda _: {"dataset": lab.dataset, **dataset_stats(reviews).to_dict()})]


def unit(lab: Lab, options: Options) -> float:
    """Seconds for all of it."""
    return 1.0


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """The counts as they were made; later calls may have added other splits."""
    return {"counts": [dict(part.result) for part in parts]}


def tables(results: Results) -> list[Table]:
    """Rows by split and labels, and states by concept with the paper's beside them."""
    found = []
    for counts in results["counts"]:
        published = TABLE1.get(counts["dataset"])
        columns: list[shown.Column] = [
            ("split", "split"),
            ("read", "rows_read"),
            ("kept", "rows_kept"),
            ("dropped", _dropped),
        ]
        reviews = shown.table("Reviews", counts["splits"], columns)
        old = {} if published is None else published.rows
        old_rows = [[f"{name}, published", f"{n:,}", "", ""] for name, n in old.items()]
        found.append(Table(reviews.title, reviews.header, [*reviews.rows, *old_rows]))
        states, rows = list(next(iter(counts["concepts"].values()))), []
        for concept, shares in counts["concepts"].items():
            rows.append([concept, *(_share(shares[state]) for state in states)])
            if published is not None and concept in published.states:
                known = published.states[concept]
                cells = (f"{known[s][0]:,} ({known[s][1]} %)" if s in known else "–" for s in states)
                rows.append([f"{concept}, published", *cells])
        found.append(Table(_states(published is not None), ["concept", *states], rows))
        labels = counts["labels"]
        found.append(Table("Labels (rows kept)", list(labels), [[_share(one) for one in labels.values()]]))
    return found


def _dropped(split: Row) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in split["dropped"].items()) or "none"


def _states(beside: bool) -> str:
    """What the counts are of; the published ones count other rows."""
    note = "; published: of the paper's own rows, its test split among them" if beside else ""
    return f"States (of all rows read{note})"


def _share(share: Row) -> str:
    return f"{share['count']:,} ({share['percent']:.0f} %)"


def draw(results: Results) -> go.Figure | None:
    """Shares of the states, here and as published, of the counts made last."""
    from sparsecbm_core.figures import paired_bars

    counts = results["counts"][-1]
    published = TABLE1.get(counts["dataset"])
    both = {
        f"{concept}: {state}": (share["percent"] / 100, published.states[concept][state][1] / 100)
        for concept, shares in counts["concepts"].items()
        for state, share in shares.items()
        if published is not None and state in published.states.get(concept, {})
    }
    ours, theirs = (list(shares) for shares in zip(*both.values(), strict=True)) if both else ([], [])
    return paired_bars(list(both), ("Counted here", ours), ("Published", theirs)) if both else None

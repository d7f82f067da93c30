"""Table 1: what the data sets are made of, counted anew beside the published counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from sparsecbm_core.data.stats import dataset_stats
from sparsecbm_core.experiments.experiment import Experiment, Measured, Part, Table
from sparsecbm_core.experiments.options import Choice
from sparsecbm_core.experiments.published import TABLE1
from sparsecbm_core.progress import OnWork

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.lab import Lab


@dataclass(frozen=True)
class Options:
    splits: Annotated[
        tuple[str, ...], Choice("Splits to count; default: train, dev (cebab: train_exclusive, dev).")
    ] = ()


def parts(lab: Lab, options: Options) -> list[Part]:
    """One part: a set of splits is counted as a whole."""
    names = options.splits or tuple(dict.fromkeys(lab.splits(None, None)))
    reviews = [lab.reviews(name) for name in names]

    def count(report: OnWork) -> dict[str, Any]:
        return {"dataset": lab.dataset, **dataset_stats(reviews).to_dict()}

    return [Part({"splits": "+".join(names)}, 1, {"data": [lab.about(name) for name in names]}, count)]


def summary(parts: Sequence[Measured]) -> dict[str, Any]:
    """The counts as they were made; later calls may have added other splits."""
    return {"counts": [dict(part.result) for part in parts]}


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Rows by split and labels, and states by concept with the paper's beside them."""
    found = []
    for counts in results["counts"]:
        published = TABLE1.get(counts["dataset"])
        rows = [
            [
                split["split"],
                f"{split['rows_read']:,}",
                f"{split['rows_kept']:,}",
                ", ".join(f"{n} {reason}" for reason, n in split["dropped"].items()) or "none",
            ]
            for split in counts["splits"]
        ]
        if published is not None and published.rows:
            rows += [[f"{name}, published", f"{n:,}", "", ""] for name, n in published.rows.items()]
        found.append(Table("Reviews", ["split", "read", "kept", "dropped"], rows))
        states = list(next(iter(counts["concepts"].values())))
        rows = []
        for concept, shares in counts["concepts"].items():
            rows.append([concept, *(_share(shares[state]) for state in states)])
            if published is not None and concept in published.states:
                old = published.states[concept]
                rows.append(
                    [
                        f"{concept}, published",
                        *(f"{old[s][0]:,} ({old[s][1]} %)" if s in old else "–" for s in states),
                    ]
                )
        found.append(Table(_states(published is not None), ["concept", *states], rows))
        labels = counts["labels"]
        found.append(
            Table("Labels (rows kept)", list(labels), [[_share(share) for share in labels.values()]])
        )
    return found


def _states(beside: bool) -> str:
    """What the counts are of; the published ones count other rows."""
    note = "; published: of the paper's own rows, its test split among them" if beside else ""
    return f"States (of all rows read{note})"


def draw(results: Mapping[str, Any]) -> go.Figure | None:
    """Shares of the states, here and as published, of the counts made last."""
    from sparsecbm_core.figures import paired_bars

    counts = results["counts"][-1]
    published = TABLE1.get(counts["dataset"])
    titles, ours, theirs = [], [], []
    for concept, shares in counts["concepts"].items():
        old = {} if published is None else published.states.get(concept, {})
        for state, share in shares.items():
            if state in old:
                titles.append(f"{concept}: {state}")
                ours.append(share["percent"] / 100)
                theirs.append(old[state][1] / 100)
    return paired_bars(titles, ("Counted here", ours), ("Published", theirs)) if titles else None


def _share(share: Mapping[str, Any]) -> str:
    return f"{share['count']:,} ({share['percent']:.0f} %)"


EXPERIMENT = Experiment(
    name="table1",
    title="Table 1: the data",
    claim="What the data sets hold: reviews by split, and how often each concept is in each state.",
    options=Options,
    parts=parts,
    unit=lambda lab, options: 1.0,
    summary=summary,
    tables=tables,
    draw=draw,
)

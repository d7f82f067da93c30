"""Whether each subnetwork is its concept's own: swapped, and removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import matrix_figure, percent
from ui.widgets.exhibits import Exhibit, Section, signed_points, where

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import ModelReport, Subnetworks


def subnetworks(report: ModelReport, space: ConceptSpace) -> Section | None:
    """Every concept through every subnetwork, and without another's weights."""
    measured = report.subnetworks
    if measured is None or measured.result is None:
        return None
    found = measured.result
    titles = [space.title(name) for name in found.concepts]
    exhibits = [
        Exhibit(
            "swapped",
            "Read through another concept's subnetwork",
            "Share of reviews whose state is found. A row is a concept, a column the subnetwork that reads.",
            swapped_rows(found, titles),
            "Accuracy of each concept through each subnetwork",
            matrix_figure(
                found.swapped,
                [[percent(value) for value in row] for row in found.swapped],
                titles,
                "read through the subnetwork of",
            ),
            percents=(*titles, "most_frequent"),
        )
    ]
    if len(titles) > 1:
        drops = [[found.drop(k, j) for k in range(len(titles))] for j in range(len(titles))]
        exhibits.append(
            Exhibit(
                "removed",
                "Without the weights of another subnetwork",
                "Points that the accuracy of a concept (row) changes by when the weights of one subnetwork "
                "(column) are taken out of all of them.",
                removed_rows(found, titles),
                "Change of each concept's accuracy without the weights of each subnetwork",
                matrix_figure(
                    drops,
                    [[signed_points(-value) for value in row] for row in drops],
                    titles,
                    "without the weights of",
                ),
                percents=("before", "after", "weights_lost"),
            )
        )
    return Section(
        "Is each subnetwork its concept's own?",
        subnetwork_words(found),
        tuple(exhibits),
        where(measured),
    )


def swapped_rows(found: Subnetworks, titles: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"concept": title, **dict(zip(titles, row, strict=True)), "most_frequent": majority}
        for title, row, majority in zip(titles, found.swapped, found.majority, strict=True)
    ]


def removed_rows(found: Subnetworks, titles: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "without_the_weights_of": gone,
            "concept": read,
            "before": found.own[j],
            "after": found.removed[k][j],
            "weights_lost": found.lost[k][j],
        }
        for k, gone in enumerate(titles)
        for j, read in enumerate(titles)
    ]


def swap_drop(found: Subnetworks) -> float | None:
    """What a concept loses through another's subnetwork, mean over pairs; None for a single concept."""
    drops = [
        found.own[k] - value for k, row in enumerate(found.swapped) for j, value in enumerate(row) if j != k
    ]
    return sum(drops) / len(drops) if drops else None


def removal_by_concept(found: Subnetworks) -> list[tuple[str, float, float | None]]:
    """What each concept loses without its own weights, and without another's, mean over the others."""
    size, drops = len(found.concepts), []
    for j, name in enumerate(found.concepts):
        others = [found.drop(k, j) for k in range(size) if k != j]
        drops.append((name, found.drop(j, j), sum(others) / len(others) if others else None))
    return drops


def removal_drops(found: Subnetworks) -> tuple[float, float | None]:
    """The same as means over concepts."""
    drops = removal_by_concept(found)
    others = [other for _, _, other in drops if other is not None]
    return sum(own for _, own, _ in drops) / len(drops), sum(others) / len(others) if others else None


def subnetwork_words(found: Subnetworks) -> tuple[str, ...]:
    """What swapping and removing cost, on average."""
    swap, (own, other) = swap_drop(found), removal_drops(found)
    if swap is None or other is None:
        return (
            f"Without its subnetwork the accuracy of the concept changes by {signed_points(-own)} points.",
        )
    least = sum(found.own[k] - found.majority[k] for k in range(len(found.concepts))) / len(found.concepts)
    blind = f" Were nothing of it to be seen there, it would be {signed_points(-least)}." if least > 0 else ""
    return (
        "Read through another concept's subnetwork, the accuracy of a concept changes by "
        f"{signed_points(-swap)} points on average.{blind}",
        f"Without the weights of its own subnetwork it changes by {signed_points(-own)} points, without "
        f"those of another by {signed_points(-other)}.",
    )

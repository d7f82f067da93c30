"""Which weights each concept uses, and how much the concepts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import (
    density_figure,
    density_top,
    millions,
    overlap_figure,
    percent,
    precise_percent,
    shared_by_figure,
    shared_title,
)
from ui.resources.subnetworks import IMAGE_CELLS, images_of, stats_of
from ui.widgets import layout
from ui.widgets.charts import chart
from ui.widgets.exhibits import Exhibit, show_exhibit

if TYPE_CHECKING:
    from sparsecbm_core.explain.subnetworks import ConceptSubnetwork, SubnetworkStats
    from sparsecbm_core.models.concept_model import ConceptModel

HELP = (
    "A concept's subnetwork is the part of the encoder's weights that it uses. Only the weight matrices of "
    "the encoder's layers are divided up; embeddings, LayerNorms and biases belong to all concepts."
)
CHANCE = (
    "Overlap is the share of the weights used by either concept that both use. “By chance” is what random "
    "subnetworks with the same number of weights in every matrix would share."
)
BLOCKS = (
    "The review passes the layers from top to bottom. In each, query, key and value decide which words look "
    "at which; the rest works on one word at a time. A block is one weight matrix: stronger in colour "
    "where more is used."
)


def show(model: ConceptModel, concept: str) -> None:
    space, stats = model.space, stats_of(model)
    layout.section("Which weights each concept uses", help=HELP)
    if stats is None:
        layout.lead("This is a dense model: every concept reads the review through the whole encoder.")
        return
    own, title = stats.concepts[concept], space.title(concept)
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        layout.subsection(
            f"Subnetwork of {title}",
            f"{own.kept:,} of {stats.total:,} encoder weights ({precise_percent(own.density)}).",
        )
        images = images_of(model, IMAGE_CELLS)
        chart(
            # One scale for all concepts, so that their shades compare.
            density_figure(images[concept], density_top(images.values())),
            matrix_rows(own),
            f"subnetwork-{concept}",
            f"Density of the subnetwork of {title}",
            "Weights used, matrix by matrix",
            percents=["share"],
            total={
                "layer": "all",
                "used": own.kept,
                "of": sum(row.size for row in own.matrices),
                "share": own.density,
            },
        )
        layout.caption(BLOCKS)
    with right:
        overlap(stats, space)
        layout.subsection("Weights that concepts share", f"Of {millions(stats.total)} weights, used by …")
        chart(
            shared_by_figure(stats),
            shared_rows(stats),
            "shared",
            "Share of weights by number of concepts that use them",
            percents=["share"],
            total={"used_by": "together", "weights": stats.total, "share": 1.0},
        )


def overlap(stats: SubnetworkStats, space: ConceptSpace) -> None:
    """How alike each pair of subnetworks is, against chance."""
    if stats.overlaps:
        layout.subsection("Overlap between concepts", overlap_words(stats), help=CHANCE)
        show_exhibit(overlap_exhibit(stats, space))


def overlap_words(stats: SubnetworkStats) -> str:
    """The mean over all pairs beside chance, in a sentence or two."""
    chance, mean = percent(stats.mean_chance or 0.0), percent(stats.mean_jaccard or 0.0)
    if stats.disjoint:
        return f"No two subnetworks share a weight. Random ones, as dense in every matrix: {chance}."
    return f"{mean} on average. Random subnetworks, as dense in every matrix: {chance}."


def overlap_exhibit(
    stats: SubnetworkStats, space: ConceptSpace, rows: Sequence[Mapping[str, Any]] | None = None
) -> Exhibit:
    """Every pair as a chart and as a table; ``rows`` of the table, if not the usual ones."""
    return Exhibit(
        "overlap",
        "",
        "",
        overlap_rows(stats, space) if rows is None else rows,
        "Overlap of each pair of subnetworks, and by chance",
        overlap_figure(stats, space),
        percents=("overlap", "overlap_before", "overlap_now", "by_chance"),
    )


def matrix_rows(own: ConceptSubnetwork) -> list[dict[str, Any]]:
    """Weights used per matrix."""
    return [
        {
            "layer": str(row.layer + 1),
            "matrix": row.role,
            "used": row.kept,
            "of": row.size,
            "share": row.density,
        }
        for row in own.matrices
    ]


def overlap_rows(stats: SubnetworkStats, space: ConceptSpace) -> list[dict[str, Any]]:
    return [
        {
            "first": space.title(pair.first),
            "second": space.title(pair.second),
            "shared": pair.both,
            "used_by_either": pair.either,
            "overlap": pair.jaccard,
            "by_chance": pair.chance_by_matrix,
        }
        for pair in stats.overlaps
    ]


def shared_rows(stats: SubnetworkStats) -> list[dict[str, Any]]:
    k = len(stats.concepts)
    return [
        {"used_by": shared_title(n, k), "weights": count, "share": count / stats.total}
        for n, count in enumerate(stats.shared_by)
    ]

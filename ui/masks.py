"""Which weights each concept uses, and how much the concepts share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import (
    density_figure,
    overlap_figure,
    percent,
    precise_percent,
    shared_by_figure,
    shared_title,
)
from ui import loader, parts
from ui.how import selected_concept
from ui.pathway import millions
from ui.state import AppState

if TYPE_CHECKING:
    from sparsecbm_core.explain.subnetworks import ConceptSubnetwork, SubnetworkStats
    from sparsecbm_core.models.concept_model import ConceptModel

HELP = (
    "A mask says which weights of the encoder a concept uses. It covers the linear weights of the encoder's "
    "layers; embeddings, LayerNorms and biases are dense and shared by all concepts."
)
CHANCE = (
    "Overlap is the share of the weights used by either concept that both use. “By chance” is what random "
    "masks with the same number of weights in every matrix would share."
)


def show(state: AppState, model: ConceptModel, explanation: Explanation) -> None:
    space, stats = model.space, loader.stats(model)
    parts.section("Which weights each concept uses", help=HELP)
    if stats is None:
        parts.lead("This is a dense model: every concept reads the review through the whole encoder.")
        return
    concept = selected_concept(state, explanation, space)
    own = stats.concepts[concept]
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        st.subheader(f"Subnetwork of {space.title(concept)}", anchor=False)
        parts.caption(
            f"{own.kept:,} of {stats.total:,} encoder weights ({precise_percent(own.density)}). "
            "Each block is one weight matrix; a darker cell keeps more of its patch."
        )
        image = loader.image(model, concept, loader.IMAGE_CELLS)
        if image is not None:
            parts.chart(
                density_figure(image),
                matrix_rows(own),
                f"mask-{concept}",
                f"Density of the subnetwork of {space.title(concept)}",
                "Kept weights, matrix by matrix",
            )
    with right:
        if stats.overlaps:
            _overlap(stats, space)
        st.subheader("Weights that concepts share", anchor=False)
        parts.caption(f"Of {millions(stats.total)} weights, used by …")
        parts.chart(
            shared_by_figure(stats),
            shared_rows(stats),
            "shared",
            "Share of weights by number of concepts that use them",
        )


def _overlap(stats: SubnetworkStats, space: ConceptSpace) -> None:
    st.subheader("Overlap between concepts", anchor=False, help=CHANCE)
    mean = stats.mean_jaccard or 0.0
    chance = sum(pair.chance_by_matrix for pair in stats.overlaps) / len(stats.overlaps)
    parts.caption(f"{percent(mean)} on average. Random masks, as dense in every matrix: {percent(chance)}.")
    parts.chart(
        overlap_figure(stats, space),
        overlap_rows(stats, space),
        "overlap",
        "Overlap of each pair of subnetworks, and by chance",
    )


def matrix_rows(own: ConceptSubnetwork) -> list[dict[str, object]]:
    """Kept weights per matrix, and their sum."""
    rows: list[dict[str, object]] = [
        {
            "layer": str(row.layer + 1),
            "matrix": row.role,
            "kept": row.kept,
            "of": row.size,
            "share": precise_percent(row.density),
        }
        for row in own.matrices
    ]
    size = sum(row.size for row in own.matrices)
    total = {
        "layer": "all",
        "matrix": "",
        "kept": own.kept,
        "of": size,
        "share": precise_percent(own.density),
    }
    return [*rows, total]


def overlap_rows(stats: SubnetworkStats, space: ConceptSpace) -> list[dict[str, object]]:
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


def shared_rows(stats: SubnetworkStats) -> list[dict[str, object]]:
    k = len(stats.concepts)
    rows: list[dict[str, object]] = [
        {"used_by": shared_title(n, k), "weights": count, "share": precise_percent(count / stats.total)}
        for n, count in enumerate(stats.shared_by)
    ]
    return [*rows, {"used_by": "together", "weights": stats.total, "share": "100.0 %"}]

"""Sizes, overlaps and pictures of subnetworks, made once for all sessions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.models.masks import MaskSet
    from sparsecbm_core.models.roles import MatrixInfo

TILE_CELLS, IMAGE_CELLS = (2, 6), (12, 12)


def stats_of(model: ConceptModel) -> SubnetworkStats | None:
    """Sizes and overlaps of the subnetworks; None for a dense model."""
    return None if model.masks is None else _stats(model, model.fingerprint)


@st.cache_resource(max_entries=32, show_spinner=False)
def _stats(_model: ConceptModel, fingerprint: str) -> SubnetworkStats | None:
    from sparsecbm_core.explain.subnetworks import subnetwork_stats

    return None if _model.masks is None else subnetwork_stats(_model.masks, _model.cbm.matrices)


def images_of(model: ConceptModel, cells: tuple[int, int]) -> dict[str, DensityImage]:
    """Every concept's subnetwork as a picture; empty for a dense model.

    Each by the concept's own bits: a correction changes one mask, and the others are not drawn anew.
    """
    if model.masks is None:
        return {}
    return {
        concept: _image(model.masks, model.cbm.matrices, concept, _bits(model.masks, k), cells)
        for k, concept in enumerate(model.masks.concepts)
    }


def _bits(masks: MaskSet, k: int) -> str:
    """Hash of the mask of concept k."""
    digest = hashlib.sha256(masks.concepts[k].encode())
    for name in sorted(masks.packed):
        digest.update(masks.packed[name][k].tobytes())
    return digest.hexdigest()


# Twelve concepts of two models in two sizes, and those that corrections change.
@st.cache_resource(max_entries=128, show_spinner=False)
def _image(
    _masks: MaskSet, _matrices: Sequence[MatrixInfo], concept: str, bits: str, cells: tuple[int, int]
) -> DensityImage:
    from sparsecbm_core.explain.subnetworks import density_image

    return density_image(_masks, _matrices, concept, cells)

"""What all sessions share of their corrections: corrected models, and readings of guard reviews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.session.corrected import Caches, model_under
from sparsecbm_core.session.correction import Correction
from sparsecbm_core.session.guard import Guard
from ui.resources import guard_reviews

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.concept_model import ConceptModel
    from ui.resources.models import ModelCard

REMEDY = "open labelled reviews under “How to correct”, or choose another rule there"


def model_now(base: ConceptModel, corrections: Sequence[Correction]) -> ConceptModel:
    """``base`` under those of the corrections that are its own; where there is none, ``base``."""
    return model_under(base, corrections, _caches())


def guard_of(card: ModelCard, own: ReviewDataset | None) -> Guard:
    """The visitor's ``own`` guard reviews, or else the app's for a model."""
    reviews = guard_reviews.bundled(card.space) if own is None else own
    return Guard(card.folder, reviews, own is not None, _caches(), REMEDY)


@st.cache_resource(show_spinner=False)
def _caches() -> Caches:
    return Caches()

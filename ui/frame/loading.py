"""The models that a page can show, and the one that it does; where there is none, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from sparsecbm_core.errors import CheckpointError, SparseCBMError
from ui.resources import models
from ui.text import plain

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel


def offer() -> models.Offer:
    """The models to choose from; where there is none, one clear message and nothing else."""
    found = models.offered()
    if not found.cards:
        cannot_load(CheckpointError("; ".join(found.problems)))
    return found


def load(card: models.ModelCard) -> ConceptModel:
    """The model; where it cannot be loaded, one clear message and nothing else."""
    with st.spinner("Loading the model…"):
        try:
            return models.model(card)
        except SparseCBMError as error:
            cannot_load(error)


def cannot_load(error: SparseCBMError) -> NoReturn:
    remedy = "Choose another model above, put" if models.offered().several else "Put"
    st.error(
        f"**The model cannot be loaded.** {plain(str(error))}\n\n"
        f"{remedy} a model folder there, or name another one in the environment variable "
        f"`{models.VARIABLE}` and start the app again.",
        icon=":material/error:",
    )
    st.stop()

"""The model as a session has corrected it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from ui.recent import Recent
from ui.steps import Step, Steps

if TYPE_CHECKING:
    from sparsecbm_core.intervene.edits import MaskEdit
    from sparsecbm_core.models.concept_model import ConceptModel

# Corrected models kept in memory, for all sessions together, in bytes of the subnetworks they do not share.
LARGEST = 400_000_000


def net(steps: Sequence[Step]) -> MaskEdit:
    """What a chain of corrections comes to."""
    from sparsecbm_core.intervene.edits import net_edit

    return net_edit(step.patch.edit for step in steps)


def holding(steps: Steps, text: str) -> Steps:
    """Those corrections that hold for a text: all but those for similar reviews that it is not like."""
    general = tuple(step for step in steps if step.patch.signature is None)
    if len(general) == len(steps) or not text.strip():
        return general
    from sparsecbm_core.intervene.scoped import firing

    chosen = {patch.edit.fingerprint() for patch in firing(text, [step.patch for step in steps])}
    return tuple(step for step in steps if step.edit in chosen)


def model_now(base: ConceptModel, steps: Sequence[Step]) -> ConceptModel:
    """``base`` under those of the corrections ``steps`` that are its own; where there is none, ``base``.

    The corrected models are shared and few: sessions keep the flips, and what was forgotten is made again.
    """
    own = [step for step in steps if step.patch.model == base.fingerprint]
    if not own:
        return base
    edit = net(own)
    if not edit.size:
        return base
    key = (base.fingerprint, edit.fingerprint())
    found = _models().get(key)
    if found is None:
        from sparsecbm_core.intervene.correct import corrected_model

        found = corrected_model(base, edit)
        remember(base, edit, found)
    return found


def remember(base: ConceptModel, edit: MaskEdit, corrected: ConceptModel) -> None:
    """Keep a corrected model that was made elsewhere; ``edit`` is its net difference from ``base``."""
    size = 4 * sum(rows * columns for rows, columns in base.cbm.mask_shapes.values())
    _models().put((base.fingerprint, edit.fingerprint()), corrected, size * len(edit.concepts))


@st.cache_resource(show_spinner=False)
def _models() -> Recent[ConceptModel]:
    return Recent(entries=16, size=LARGEST, seconds=3600)

"""What the Masks page looks at: two masks and how they differ, whichever two they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.session.corrected import holding
from ui.resources.session import model_now
from ui.resources.subnetworks import IMAGE_CELLS
from ui.state import AppState

if TYPE_CHECKING:
    from sparsecbm_core.explain.mask_changes import MaskChanges
    from sparsecbm_core.explain.subnetworks import DensityImage
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.models.masks import MaskSet
    from sparsecbm_core.models.roles import MatrixInfo


LOADED, CORRECTED, DIFFERENCE, PAIR = "loaded", "corrected", "difference", "pair"
KINDS = (DIFFERENCE, LOADED, CORRECTED, PAIR)


@dataclass(frozen=True, eq=False)
class View:
    """One mask as it is (``kind`` "loaded" or "corrected": ``before`` and ``after`` are the same), one mask
    before and after the session's corrections ("difference"), or those of two concepts ("pair").

    Two concepts compare as before and after do: what only the first keeps is dropped on the way to the
    second, what only the second keeps is grown. Both sets hold one mask, under the name ``concept``;
    ``masks`` are those of all concepts, as they were loaded or as they are now.
    """

    kind: str
    concept: str
    before: MaskSet
    after: MaskSet
    masks: MaskSet
    matrices: Sequence[MatrixInfo]
    space: ConceptSpace
    second: str | None = None

    @property
    def single(self) -> bool:
        return self.kind in (LOADED, CORRECTED)

    @property
    def title(self) -> str:
        return self.space.title(self.concept)

    @property
    def second_title(self) -> str:
        return "" if self.second is None else self.space.title(self.second)

    @cached_property
    def key(self) -> str:
        """Both masks' fingerprints: what caches go by."""
        return f"{self.before.fingerprint()}-{self.after.fingerprint()}"

    @property
    def changes(self) -> MaskChanges:
        return _changes(self, self.key)

    def titles(self) -> dict[str, str]:
        """Every matrix as a reader calls it, in reading order."""
        return {item.matrix: f"Layer {item.layer + 1}, {item.role}" for item in self.changes.matrices}


def kinds(corrected: bool, several: bool) -> list[str]:
    """What there is to look at: whether the concept's mask was corrected, and whether there are others."""
    there = {LOADED: True, CORRECTED: corrected, DIFFERENCE: corrected, PAIR: several}
    return [name for name in KINDS if there[name]]


def view_now(state: AppState, base: ConceptModel) -> View:
    """What the session looks at; ``base`` is the model as loaded, and has masks."""
    now = corrected_now(state, base)
    concepts = base.cbm.parts
    concept = chosen_concept(state, concepts)
    kind = state.work.masks.shown(kinds(differs(base, now, concept), len(concepts) > 1))
    second = state.work.masks.other(concept, concepts) if kind == PAIR else None
    return view_of(kind, base, now, concept, second)


def corrected_now(state: AppState, base: ConceptModel) -> ConceptModel:
    """The model as the session reads its present review with it, as on the Explain page."""
    return model_now(base, holding(state.work.corrections, state.work.text))


def chosen_concept(state: AppState, concepts: Sequence[str]) -> str:
    """The chosen one of the ``concepts``; before one is chosen, the one corrected last, or else the first."""
    corrected = [correction.patch.concept for correction in reversed(state.work.corrections)]
    return next(name for name in (state.work.concept, *corrected, *concepts) if name and name in concepts)


def view_of(kind: str, base: ConceptModel, now: ConceptModel, concept: str, second: str | None) -> View:
    """The view ``kind`` of a concept; a pair's masks are those in use now."""
    loaded = masks_of(base)
    masks = loaded if kind == LOADED else masks_of(now)
    before = only(loaded if kind == DIFFERENCE else masks, concept, concept)
    after = before if kind in (LOADED, CORRECTED) else only(masks, second or concept, concept)
    return View(kind, concept, before, after, masks, base.cbm.matrices, base.space, second)


def only(masks: MaskSet, concept: str, name: str) -> MaskSet:
    """One concept's mask as a set of its own, under ``name``; the bits are shared."""
    from sparsecbm_core.models.masks import MaskSet

    k = masks.concepts.index(concept)
    return MaskSet((name,), masks.shapes, {matrix: bits[k : k + 1] for matrix, bits in masks.packed.items()})


def common(view: View) -> MaskSet:
    """What both masks of a view keep; of a single mask, the mask."""
    from sparsecbm_core.models.masks import MaskSet

    packed = {name: bits & view.after.packed[name] for name, bits in view.before.packed.items()}
    return MaskSet(view.before.concepts, view.before.shapes, packed)


def differs(base: ConceptModel, now: ConceptModel, concept: str) -> bool:
    """Whether the concept's mask is another than the loaded one."""
    if now is base or base.masks is None:
        return False
    k, corrected = base.masks.concepts.index(concept), masks_of(now).packed
    return any((bits[k] != corrected[name][k]).any() for name, bits in base.masks.packed.items())


def masks_of(model: ConceptModel) -> MaskSet:
    if model.masks is None:
        from sparsecbm_core.errors import InputError

        raise InputError(f"{model.name} is a dense model: it has no masks")
    return model.masks


def density(view: View) -> DensityImage:
    """How dense the mask is, all matrices in one picture; of a pair, what both keep."""
    return _density(view, view.key)


@st.cache_resource(max_entries=32, show_spinner=False)
def _density(_view: View, key: str) -> DensityImage:
    from sparsecbm_core.explain.subnetworks import density_image

    return density_image(common(_view), _view.matrices, _view.concept, IMAGE_CELLS)


@st.cache_resource(max_entries=64, show_spinner=False)
def _changes(_view: View, key: str) -> MaskChanges:
    from sparsecbm_core.explain.mask_changes import mask_changes

    return mask_changes(_view.before, _view.after, _view.matrices, _view.concept)

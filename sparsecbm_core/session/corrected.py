"""The model as a session has corrected it, and what all sessions share of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparsecbm_core.session.correction import Correction, Corrections
from sparsecbm_core.session.recent import Recent

if TYPE_CHECKING:
    from sparsecbm_core.intervene.edits import MaskEdit
    from sparsecbm_core.intervene.guard import GuardBaseline
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.models.concept_model import ConceptModel

# Corrected models kept in memory, for all sessions together, in bytes of the subnetworks they do not share.
LARGEST = 400_000_000
HOUR, DAY = 3_600, 86_400


@dataclass(frozen=True)
class Caches:
    """Bounded memories that any number of sessions share: what is forgotten is made again.

    Sessions keep the flips. Of corrected ``models`` a few are kept, of guard ``profiles`` some, and of
    guard reviews' readings (``baselines``) as many as make 40,000 reviews.
    """

    models: Recent[ConceptModel] = field(default_factory=lambda: Recent(16, LARGEST, HOUR))
    profiles: Recent[GuardProfile] = field(default_factory=lambda: Recent(4, 100, DAY))
    baselines: Recent[GuardBaseline] = field(default_factory=lambda: Recent(64, 40_000, DAY))


def net(corrections: Sequence[Correction]) -> MaskEdit:
    """What a chain of corrections comes to."""
    from sparsecbm_core.intervene.edits import net_edit

    return net_edit(item.patch.edit for item in corrections)


def holding(corrections: Corrections, text: str) -> Corrections:
    """Those corrections that hold for a text: all but those for similar reviews that it is not like."""
    general = tuple(item for item in corrections if item.patch.signature is None)
    if len(general) == len(corrections) or not text.strip():
        return general
    from sparsecbm_core.intervene.in_force import firing

    chosen = {patch.edit.fingerprint() for patch in firing(text, [item.patch for item in corrections])}
    return tuple(item for item in corrections if item.fingerprint in chosen)


def model_under(base: ConceptModel, corrections: Sequence[Correction], caches: Caches) -> ConceptModel:
    """``base`` under those of the corrections that are its own; where there is none, ``base``."""
    own = [item for item in corrections if item.patch.model == base.fingerprint]
    edit = net(own) if own else None
    if edit is None or not edit.size:
        return base
    found = caches.models.get((base.fingerprint, edit.fingerprint()))
    if found is None:
        from sparsecbm_core.intervene.in_force import corrected_model

        found = corrected_model(base, edit)
        remember(base, edit, found, caches)
    return found


def remember(base: ConceptModel, edit: MaskEdit, corrected: ConceptModel, caches: Caches) -> None:
    """Keep a corrected model that was made elsewhere; ``edit`` is its net difference from ``base``."""
    size = 4 * sum(rows * columns for rows, columns in base.cbm.mask_shapes.values())
    caches.models.put((base.fingerprint, edit.fingerprint()), corrected, size * len(edit.concepts))

"""What a correction is to leave alone, and what it did to that: the guard profile and the guard report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import InputError
from ui.recent import Recent
from ui.steps import Step

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.guard import GuardBaseline, GuardReport
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.models.concept_model import ConceptModel

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Guard:
    """Guard reviews for the model in ``folder``; ``reviews`` is None where there are none for it."""

    folder: Path
    reviews: ReviewDataset | None

    def profile(self, base: ConceptModel, on_progress: Progress) -> GuardProfile:
        """The profile beside the model, or else that of these reviews, made once."""
        from sparsecbm_core.intervene.profile import cached_profile, shipped_profile

        found = _profiles().get(base.fingerprint)
        if found is None:
            found = shipped_profile(self.folder, base)
            if found is None and self.reviews is None:
                raise InputError(
                    "the rule “guarded” needs to know what to leave alone; open labelled reviews under "
                    "“What else changed”, or choose another rule"
                )
            if found is None and self.reviews is not None:
                said = "Measuring once which weights matter to the guard reviews…"
                found = cached_profile(
                    self.folder,
                    base,
                    self.reviews.texts,
                    self.reviews.fingerprint(),
                    lambda done, total: on_progress(done / total, said),
                )
            _profiles().put(base.fingerprint, found, 1)
        return found

    def baseline(self, base: ConceptModel, on_progress: Progress) -> GuardBaseline | None:
        """How the model as loaded reads the guard reviews; read once."""
        from sparsecbm_core.intervene.guard import GuardBaseline

        if self.reviews is None:
            return None
        key = (base.fingerprint, self.reviews.fingerprint())
        found = _baselines().get(key)
        if found is None:
            said = "Reading the guard reviews for the first time…"
            found = GuardBaseline.read(
                base, self.reviews, lambda done, total: on_progress(done / total, said)
            )
            _baselines().put(key, found, len(self.reviews))
        return found

    def report(
        self,
        base: ConceptModel,
        steps: Sequence[Step],
        corrected: ConceptModel,
        concept: str,
        on_progress: Progress,
    ) -> GuardReport | None:
        """What one more correction changed; None without guard reviews."""
        pristine = self.baseline(base, on_progress)
        return None if pristine is None else pristine.report(corrected, (concept,))


def guard_for(folder: Path, reviews: ReviewDataset | None) -> Guard:
    return Guard(folder, reviews)


@st.cache_resource(show_spinner=False)
def _profiles() -> Recent[GuardProfile]:
    return Recent(entries=4, size=100, seconds=86_400)


@st.cache_resource(show_spinner=False)
def _baselines() -> Recent[GuardBaseline]:
    return Recent(entries=8, size=20_000, seconds=86_400)

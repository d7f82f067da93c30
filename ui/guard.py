"""What a correction is to leave alone, and what it did to that: the guard profile and the guard report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import InputError
from ui.model_now import model_now, net
from ui.recent import Recent
from ui.resources import guard_reviews
from ui.steps import Step, Steps

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.guard import GuardBaseline, GuardReport
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.intervene.protect import Protected
    from sparsecbm_core.intervene.scope import Signature
    from sparsecbm_core.models.concept_model import ConceptModel
    from ui.resources.loader import ModelCard
    from ui.state import AppState

Progress = Callable[[float, str], None]
FEW = 48  # guard reviews of a concept that have a say where a person waits


@dataclass(frozen=True)
class Guard:
    """Guard reviews for the model in ``folder``; ``reviews`` is None where there are none for it.

    What is made of a visitor's ``own`` ones is kept in memory for a while, and nothing of it on disk.
    """

    folder: Path
    reviews: ReviewDataset | None
    own: bool = False

    @property
    def data(self) -> str | None:
        """What tells these reviews from others."""
        return None if self.reviews is None else self.reviews.fingerprint()

    def profile(self, base: ConceptModel, on_progress: Progress) -> GuardProfile:
        """The profile beside the model, or else that of these reviews, made once."""
        from sparsecbm_core.intervene.profile import cached_profile, compute_profile, shipped_profile

        shipped, theirs = (base.fingerprint, ""), (base.fingerprint, self.data or "")
        profile = _profiles().get(shipped)
        if profile is None and (profile := shipped_profile(self.folder, base)) is not None:
            _profiles().put(shipped, profile, 1)
        if profile is None:
            profile = _profiles().get(theirs)
        if profile is not None:
            return profile
        if self.reviews is None:
            raise InputError(
                "the rule “guarded” needs to know what to leave alone; open labelled reviews under “How to "
                "correct”, or choose another rule there"
            )
        said = "Measuring once which weights matter to the guard reviews…"
        asked = (base, self.reviews.texts, theirs[1], lambda done, total: on_progress(done / total, said))
        profile = compute_profile(*asked) if self.own else cached_profile(self.folder, *asked)
        _profiles().put(theirs, profile, 1)
        return profile

    def baseline(self, base: ConceptModel, on_progress: Progress) -> GuardBaseline | None:
        """How the model as loaded reads the guard reviews; read once."""
        from sparsecbm_core.intervene.baseline import cached_baseline, read_baseline

        if self.reviews is None:
            return None
        key = (base.fingerprint, self.data)
        found = _baselines().get(key)
        if found is None:
            said = "Reading the guard reviews for the first time…"
            asked = (base, self.reviews, lambda done, total: on_progress(done / total, said))
            found = read_baseline(*asked) if self.own else cached_baseline(self.folder, *asked)
            _baselines().put(key, found, len(self.reviews))
        return found

    def at(self, base: ConceptModel, steps: Steps, on_progress: Progress) -> GuardBaseline | None:
        """How the model under ``steps`` reads the guard reviews; None without any."""
        pristine = self.baseline(base, on_progress)
        if pristine is None or not steps:
            return pristine
        everywhere = tuple(step for step in steps if step.patch.signature is None)
        found = _under(base, everywhere, pristine)
        return found if len(everywhere) == len(steps) else _with_similar(base, steps, found)

    def protected(self, base: ConceptModel, steps: Steps, many: bool, on_progress: Progress) -> Protected:
        """The corrections made in this session, and the guard reviews nearest to the boundary, ``many`` or
        as many as a person waits for."""
        from sparsecbm_core.intervene.protect import ANCHORS, Protected

        pristine = self.baseline(base, on_progress)
        return Protected.of(
            [(step.text, step.patch.concept, step.patch.state) for step in steps if step.text],
            None if pristine is None else pristine.reviews,
            None if pristine is None else pristine.concept_logits,
            ANCHORS if many else FEW,
        )

    def report(
        self, base: ConceptModel, steps: Steps, step: Step, on_progress: Progress
    ) -> GuardReport | None:
        """What one more correction changed; None without guard reviews."""
        before, after = self.at(base, steps, on_progress), self.at(base, (*steps, step), on_progress)
        if before is None or after is None:
            return None
        return before.compare(after, (step.patch.concept,))


def guard_of(state: AppState, card: ModelCard) -> Guard:
    """The visitor's own guard reviews, or else the app's for a model."""
    own = state.guard_reviews
    return Guard(card.folder, own or guard_reviews.bundled(card.space), own is not None)


def _under(base: ConceptModel, steps: Steps, pristine: GuardBaseline) -> GuardBaseline:
    """The reading under corrections that hold everywhere: from that without the last one, where it is known,
    so that only one concept is read again."""

    def key(chain: Steps) -> tuple[str, str, str]:
        return base.fingerprint, pristine.reviews.fingerprint(), net(chain).fingerprint()

    if not steps:
        return pristine
    found = _baselines().get(key(steps))
    if found is None:
        earlier, changed = _baselines().get(key(steps[:-1])), steps[-1].patch.edit.concepts
        if len(steps) == 1:
            earlier = pristine
        if earlier is None:
            earlier, changed = pristine, net(steps).concepts
        found = earlier.at(model_now(base, steps), changed)
        _baselines().put(key(steps), found, len(pristine.reviews))
    return found


def _with_similar(base: ConceptModel, steps: Steps, general: GuardBaseline) -> GuardBaseline:
    """The few guard reviews that are like one corrected for similar reviews, read with that as well."""
    from sparsecbm_core.intervene.scope import THRESHOLD
    from sparsecbm_core.intervene.scoped import predict_scoped

    patches = [step.patch for step in steps]
    special = [patch.signature for patch in patches if patch.signature is not None]
    near = [
        i
        for i, item in enumerate(general.reviews)
        if any(_signature(item.text).similarity(own) >= THRESHOLD for own in special)
    ]
    if not near:
        return general
    said = predict_scoped(base, [general.reviews.examples[i].text for i in near], patches)
    logits, labels, exact = general.concept_logits.clone(), general.labels.clone(), general.exact.clone()
    if said.concept_logits is not None:
        logits[near], labels[near], exact[near] = said.concept_logits, said.labels, True
    return replace(general, concept_logits=logits, labels=labels, exact=exact)


@lru_cache(maxsize=4096)
def _signature(text: str) -> Signature:
    from sparsecbm_core.intervene.scope import Signature

    return Signature.of(text)


@st.cache_resource(show_spinner=False)
def _profiles() -> Recent[GuardProfile]:
    return Recent(entries=4, size=100, seconds=86_400)


@st.cache_resource(show_spinner=False)
def _baselines() -> Recent[GuardBaseline]:
    return Recent(entries=64, size=40_000, seconds=86_400)

"""What a correction is to leave alone, and what it did to that: the guard profile and the guard report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sparsecbm_core.errors import InputError
from sparsecbm_core.progress import OnStage
from sparsecbm_core.session.corrected import Caches, model_under, net
from sparsecbm_core.session.correction import Correction, Corrections

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.guard import GuardBaseline, GuardReport
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.intervene.protect import Protected
    from sparsecbm_core.intervene.scope import Signature
    from sparsecbm_core.models.concept_model import ConceptModel

FEW = 48  # guard reviews of a concept that have a say where a person waits


@dataclass(frozen=True)
class Guard:
    """Guard reviews for the model in ``folder``; ``reviews`` is None where there are none for it.

    What is made of a visitor's ``own`` ones is kept in memory for a while, and nothing of it on disk.
    ``remedy`` is what a person can do where there is nothing to make a profile of.
    """

    folder: Path
    reviews: ReviewDataset | None
    own: bool = False
    caches: Caches = field(default_factory=Caches)
    remedy: str = "give labelled reviews, or choose another rule"

    @classmethod
    def in_memory(cls, base: ConceptModel, reviews: ReviewDataset, profile: GuardProfile) -> Guard:
        """With the profile given, and nothing read from files or written to them."""
        guard = cls(Path(), reviews, own=True)
        guard.caches.profiles.put((base.fingerprint, ""), profile, 1)
        return guard

    @property
    def data(self) -> str | None:
        """What tells these reviews from others."""
        return None if self.reviews is None else self.reviews.fingerprint()

    def profile(self, base: ConceptModel, on_progress: OnStage) -> GuardProfile:
        """The profile that came with the model, or else that of these reviews, made once; without reviews
        the one that was made last.

        Raises `InputError` where there is none and nothing to make it of.
        """
        from sparsecbm_core.intervene.guard_files import cached_profile, latest_profile, shipped_profile
        from sparsecbm_core.intervene.profile import compute_profile

        shipped, theirs = (base.fingerprint, ""), (base.fingerprint, self.data or "")
        known = self.caches.profiles
        found = known.get(shipped)
        if found is None and (found := shipped_profile(self.folder, base)) is not None:
            known.put(shipped, found, 1)
        if found is None:
            found = known.get(theirs)
        if found is not None:
            return found
        if self.reviews is None:
            found = latest_profile(self.folder, base)
            if found is None:
                raise InputError(f"rule 'guarded' needs to know what to leave alone: {self.remedy}")
            return found
        said = "Measuring once which weights matter to the guard reviews…"
        asked = (base, self.reviews.texts, theirs[1], lambda done, total: on_progress(done / total, said))
        found = compute_profile(*asked) if self.own else cached_profile(self.folder, *asked)
        known.put(theirs, found, 1)
        return found

    def baseline(self, base: ConceptModel, on_progress: OnStage) -> GuardBaseline | None:
        """How the model as loaded reads the guard reviews; read once."""
        from sparsecbm_core.intervene.guard_files import cached_baseline, read_baseline

        if self.reviews is None:
            return None
        key = (base.fingerprint, self.data)
        found = self.caches.baselines.get(key)
        if found is None:
            said = "Reading the guard reviews for the first time…"
            asked = (base, self.reviews, lambda done, total: on_progress(done / total, said))
            found = read_baseline(*asked) if self.own else cached_baseline(self.folder, *asked)
            self.caches.baselines.put(key, found, len(self.reviews))
        return found

    def at(self, base: ConceptModel, corrections: Corrections, on_progress: OnStage) -> GuardBaseline | None:
        """How the model under ``corrections`` reads the guard reviews; None without any."""
        pristine = self.baseline(base, on_progress)
        if pristine is None or not corrections:
            return pristine
        everywhere = tuple(item for item in corrections if item.patch.signature is None)
        found = self._under(base, everywhere, pristine)
        return found if len(everywhere) == len(corrections) else _with_similar(base, corrections, found)

    def protected(
        self, base: ConceptModel, corrections: Corrections, many: bool, on_progress: OnStage
    ) -> Protected:
        """The corrections made in this session, and the guard reviews nearest to the boundary, ``many`` or
        as many as a person waits for."""
        from sparsecbm_core.intervene.protect import ANCHORS, Protected

        pristine = self.baseline(base, on_progress)
        return Protected.of(
            [
                (item.text, item.patch.concept, item.patch.state)
                for item in corrections
                if item.text and item.patch.concept in base.space.concepts
            ],
            None if pristine is None else pristine.reviews,
            None if pristine is None else pristine.concept_logits,
            ANCHORS if many else FEW,
        )

    def report(
        self, base: ConceptModel, corrections: Corrections, one_more: Correction, on_progress: OnStage
    ) -> GuardReport | None:
        """What one more correction changed; None without guard reviews."""
        before = self.at(base, corrections, on_progress)
        after = self.at(base, (*corrections, one_more), on_progress)
        if before is None or after is None:
            return None
        return before.compare(after, (one_more.patch.concept,))

    def _under(self, base: ConceptModel, corrections: Corrections, pristine: GuardBaseline) -> GuardBaseline:
        """The reading under corrections that hold everywhere: from that without the last one, where it is
        known, so that only one concept is read again."""

        def key(chain: Corrections) -> tuple[str, str, str]:
            return base.fingerprint, pristine.reviews.fingerprint(), net(chain).fingerprint()

        if not corrections:
            return pristine
        known = self.caches.baselines
        found = known.get(key(corrections))
        if found is None:
            earlier, changed = known.get(key(corrections[:-1])), corrections[-1].patch.edit.concepts
            if len(corrections) == 1:
                earlier = pristine
            if earlier is None:
                earlier, changed = pristine, net(corrections).concepts
            found = earlier.at(model_under(base, corrections, self.caches), changed)
            known.put(key(corrections), found, len(pristine.reviews))
        return found


def _with_similar(base: ConceptModel, corrections: Corrections, general: GuardBaseline) -> GuardBaseline:
    """The few guard reviews that are like one corrected for similar reviews, read with that as well."""
    from sparsecbm_core.intervene.in_force import predict_scoped
    from sparsecbm_core.intervene.scope import THRESHOLD

    patches = [item.patch for item in corrections]
    special = [patch.signature for patch in patches if patch.signature is not None]
    near = [
        i
        for i, item in enumerate(general.reviews)
        if any(_signature(item.text).similarity(own) >= THRESHOLD for own in special)
    ]
    if not near:
        return general
    said = predict_scoped(base, [general.reviews.examples[i].text for i in near], patches)
    readings, labels, exact = general.readings.clone(), general.labels.clone(), general.exact.clone()
    if said.readings is not None:
        readings[near], labels[near], exact[near] = said.readings, said.labels, True
    return replace(general, readings=readings, labels=labels, exact=exact)


@lru_cache(maxsize=4096)
def _signature(text: str) -> Signature:
    from sparsecbm_core.intervene.scope import Signature

    return Signature.of(text)

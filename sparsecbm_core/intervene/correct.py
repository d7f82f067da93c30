"""Correct one concept of one text inside the model: flip a few mask bits, leave the weights alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.explain.concepts import label_parts
from sparsecbm_core.explain.expected import expected_value
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.flips import CONFIDENCE, MARGIN, FlipOrder, flip_fewest
from sparsecbm_core.intervene.in_force import corrected_model
from sparsecbm_core.intervene.protect import Held, flip_protecting
from sparsecbm_core.intervene.reading import Batch, batch_of, leads, read_part
from sparsecbm_core.intervene.results import ALREADY, NOT_REACHED, REACHED, Intervention, Reading
from sparsecbm_core.intervene.rules import AUTO, rule_named
from sparsecbm_core.intervene.subnetwork import Subnetwork
from sparsecbm_core.models.parallel import side_by_side

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.intervene.protect import Protected
    from sparsecbm_core.models.concept_model import ConceptModel


def intervene(
    model: ConceptModel,
    text: str,
    concept: str,
    state: str,
    rule: str = "guarded",
    r: float | str = AUTO,
    profile: GuardProfile | None = None,
    seed: int = 0,
    protect: Protected | None = None,
    confidence: float = CONFIDENCE,
) -> Intervention:
    """Make ``model`` read ``concept`` of ``text`` as ``state`` (paper, sparsity-based intervention).

    With the honest head ``concept`` may also be "rest", the part that no concept carries: ``state`` is then
    the label that the text should have, and the rest's subnetwork changes until it has.

    θ, ψ and φ are frozen; only bits of M_k change, as many dropped as grown, so the sparsity stays
    exactly what it was. ``r`` is the share of the L prunable weights to drop, or "auto": the
    smallest that makes the state's logit lead by `MARGIN` and its probability ``confidence`` (0: whatever
    that is); where none does, the nearest stays. "guarded" needs a ``profile``. The model is only read;
    `Intervention.corrected` is the corrected one.

    With ``protect``, "guarded" at r "auto" also keeps earlier corrections right and labelled reviews
    where they are, and repairs what it breaks; where that does not reach the state, the rest of the
    way is gone without. Other rules and a given r cannot: `Intervention.protected_broken` counts for all.

    Raises `InputError` for an unknown concept, state or rule, an r outside (0, min(s, 1 − s)], a confidence
    outside [0, 1), an empty text, a model without masks, and "guarded" without a profile.

    >>> done = intervene(model, "The soup was cold.", "food", "Positive", rule="signed")
    >>> done.outcome, done.dropped == done.grown
    ('reached', True)
    """
    chosen = rule_named(rule)
    if isinstance(confidence, bool) or not isinstance(confidence, (int, float)) or not 0 <= confidence < 1:
        raise InputError(f"confidence must lie in [0, 1), got {confidence!r}")
    # Neither waits for the other; what is wrong with the input, the first one says.
    work: list[Callable[[], Any]] = [
        lambda: replace(Case.of(model, text, concept, state), confidence=confidence),
        lambda: Subnetwork(model, concept),
    ]
    case, subnetwork = side_by_side(lambda part: part(), work, model.device)
    if chosen.needs_profile and profile is None:
        raise InputError(f"rule {rule!r} needs a guard profile; give one, or choose another rule")
    count = _count(r, subnetwork)
    if protect is not None:
        protect.check(model.space)
    if case.settled:
        return case.conclude(rule, model, MaskEdit({}), r, seed)
    scale = profile.scale(subnetwork) if profile is not None and chosen.needs_profile else None
    is_concept = concept in model.space.concepts  # the rest has no states that could be held
    held = Held.of(subnetwork, protect.without(text, concept)) if protect and is_concept else None
    gradients, reached, before = 0, False, None
    if held is not None and scale is not None and chosen.can_protect(r):
        repaired = flip_protecting(subnetwork, chosen, case.encoded, case.target, case.beyond, held, scale)
        gradients, reached, before = 2 * repaired.rounds, repaired.reached, repaired.before
    elif held is not None:
        before = held.before(subnetwork)
    if count is not None:
        order = FlipOrder.of(subnetwork, chosen, count, case.gradient(subnetwork), scale, seed)
        order.go_to(order.limit)
        gradients += 1
    elif not reached:
        gradients += flip_fewest(subnetwork, chosen, case.gap, case.gradient, scale, seed)
    broken = 0 if held is None or before is None else before.broken(subnetwork, held)
    edit = subnetwork.edit()
    corrected = corrected_model(model, edit, {concept: subnetwork.matrices()})
    done = case.conclude(rule, corrected, edit, r, seed, gradients)
    return replace(done, protected_broken=broken)


def _count(r: float | str, subnetwork: Subnetwork) -> int | None:
    """Weights to drop for a share r; None for "auto"."""
    if r == AUTO:
        return None
    kept = int(subnetwork.kept.sum()) / subnetwork.total
    limit = min(kept, 1.0 - kept)
    if isinstance(r, bool) or not isinstance(r, (int, float)) or not 0 < r <= limit:
        raise InputError(f"r must be 'auto' or a share in (0, {limit:.4g}] of the weights, got {r!r}")
    return max(1, round(r * subnetwork.total))


@dataclass(frozen=True, eq=False)
class Case:
    """One concept of one text that is to be read as ``state``: what every rule starts from and ends in.

    ``k`` and ``target`` are the indices of concept and state, ``readings`` (P, R) the model's own.
    """

    model: ConceptModel
    text: str
    concept: str
    state: str
    k: int
    target: int
    encoded: Encoded
    readings: torch.Tensor
    before: Reading
    oracle: Reading
    confidence: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, model: ConceptModel, text: str, concept: str, state: str) -> Case:
        """Raises `InputError` for an unknown concept or state, an empty text, a model without masks."""
        network = model.cbm
        k = network.part_index(concept)
        answers = network.answers(k)
        if state not in answers:
            raise InputError(one_of(state, answers, "state" if k < model.space.num_concepts else "label"))
        target = answers.index(state)
        if not isinstance(text, str) or not text.strip():
            raise InputError("the text is empty; give the review to correct")
        if model.masks is None:
            raise InputError("this model has no masks to correct; load a SparseCBM")
        (encoded,), said = model.encode([text]), _all_readings(model, text)
        before = reading(model, said, k)
        if k < model.space.num_concepts:
            oracle = reading(model, network.stated(said, k, target), k)
        else:  # to set the label by hand is all that could be done
            shares = {name: float(name == state) for name in answers}
            oracle = Reading(state, shares, state, shares)
        return cls(model, text, concept, state, k, target, encoded, said, before, oracle)

    @property
    def settled(self) -> bool:
        """Whether the model says so already."""
        return self.before.state == self.state

    @cached_property
    def batch(self) -> Batch:
        """The text as a batch of one."""
        return batch_of(self.model, [self.encoded])

    @cached_property
    def wanted(self) -> torch.Tensor:
        """The target (1,) on the model's device."""
        return torch.tensor([self.target], device=self.model.device)

    def gap(self, subnetwork: Subnetwork) -> float:
        """How far the state's logit is beyond what was asked for: reached where it is not negative."""
        return self.beyond(subnetwork.read(self.batch))

    def beyond(self, readings: torch.Tensor) -> float:
        """The same of readings (1, R): beyond a lead by `MARGIN`, and beyond the odds of the confidence."""
        ahead = self.lead(readings) - MARGIN
        if not self.confidence:
            return ahead
        share = self._logits(readings).double().log_softmax(-1)[0, self.target]
        odds = float(share - torch.log1p(-share.exp().clamp(max=1 - 1e-12)))
        return min(ahead, odds - math.log(self.confidence / (1 - self.confidence)))

    def lead(self, readings: torch.Tensor) -> float:
        """How far the state leads the best other one: readings (1, R) → float."""
        return float(leads(self._logits(readings), self.wanted.to(readings.device))[0])

    def gradient(self, subnetwork: Subnetwork) -> torch.Tensor:
        """∂L/∂M_k (L,) of the cross-entropy at the state."""
        return subnetwork.gradient(self.batch, self.loss)[0]

    def loss(self, readings: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of readings (1, R) at the state."""
        return F.cross_entropy(self._logits(readings), self.wanted)

    def _logits(self, readings: torch.Tensor) -> torch.Tensor:
        """Of the part's answers (1, C or Y), from its readings (1, R); the other parts say what they said."""
        others = self.readings.to(readings)[None]  # (1, P, R)
        moved = torch.cat([others[:, : self.k], readings[:, None], others[:, self.k + 1 :]], 1)
        return self.model.cbm.part_logits(moved, self.k)

    def conclude(
        self,
        rule: str,
        corrected: ConceptModel,
        edit: MaskEdit,
        requested_r: float | str | None = None,
        seed: int = 0,
        gradients: int = 0,
    ) -> Intervention:
        """The result, with the text read again by ``corrected``."""
        masks = self.model.masks
        if masks is None:
            raise InputError("this model has no masks to correct; load a SparseCBM")
        after = reading(corrected, self._read_again(corrected, edit), self.k)
        reached = REACHED if after.state == self.state else NOT_REACHED
        return Intervention(
            fingerprint=self.model.fingerprint,
            concept=self.concept,
            state=self.state,
            rule=rule,
            requested_r=requested_r,
            r=edit.size / 2 / masks.total,  # a second gradient may take back what the first did
            seed=seed,
            outcome=ALREADY if self.settled else reached,
            before=self.before,
            after=after,
            oracle=self.oracle,
            edit=edit,
            counts=tuple(edit.counts(masks)),
            total=masks.total,
            gradients=gradients,
            seconds=time.perf_counter() - self.started,
            corrected=corrected,
        )

    def _read_again(self, corrected: ConceptModel, edit: MaskEdit) -> torch.Tensor:
        """Readings (P, R) of the text; where only masks changed, the other parts say what they said."""
        if corrected.network is not self.model.network:
            return _all_readings(corrected, self.text)
        readings = self.readings.clone()
        for concept in edit.concepts:
            readings[corrected.cbm.part_index(concept)] = read_part(corrected, [self.encoded], concept)[0]
        return readings


def _all_readings(model: ConceptModel, text: str) -> torch.Tensor:
    """Readings (P, R) of one text."""
    said = model.predict([text]).readings
    if said is None:
        raise InputError("this is a standard classifier: it has no concepts to correct")
    return said[0]


def reading(model: ConceptModel, readings: torch.Tensor, k: int) -> Reading:
    """Part k and the label of one text from its readings (P, R)."""
    space, said = model.space, model.predictions(readings[None])
    logits, answers = said.label_logits[0], model.cbm.answers(k)
    activations = model.cbm.activate(readings.double().to(model.device))
    own = model.cbm.concept_logits(readings)[k] if k < space.num_concepts else logits
    shares = own.softmax(-1)
    return Reading(
        state=answers[int(shares.argmax())],
        states=dict(zip(answers, shares.tolist(), strict=True)),
        label=space.labels[int(logits.argmax())],
        labels=dict(zip(space.labels, logits.softmax(-1).tolist(), strict=True)),
        expected=expected_value(model.cbm, label_parts(model.cbm, activations)),
    )

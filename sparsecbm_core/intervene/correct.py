"""Correct one concept of one text inside the model: flip a few mask bits, leave the weights alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.case import MARGIN, Case, lead
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.repair import Held, flip_protecting
from sparsecbm_core.intervene.results import Intervention
from sparsecbm_core.intervene.rules import rule_named
from sparsecbm_core.intervene.search import Found, flip_fewest, flip_fixed
from sparsecbm_core.intervene.subnetwork import Subnetwork
from sparsecbm_core.models.parallel import side_by_side

if TYPE_CHECKING:
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.intervene.protect import Protected
    from sparsecbm_core.models.concept_model import ConceptModel

AUTO = "auto"


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
) -> Intervention:
    """Make ``model`` read ``concept`` of ``text`` as ``state`` (paper, sparsity-based intervention).

    θ, ψ and φ are frozen; only bits of M_k change, as many dropped as grown, so the sparsity stays
    exactly what it was. ``r`` is the share of the L prunable weights to drop, or "auto": the
    smallest that makes the state's logit lead by `MARGIN`. "guarded" needs a ``profile``. The model
    is only read; `Intervention.corrected` is the corrected one.

    With ``protect``, "guarded" at r "auto" also keeps earlier corrections right and labelled reviews
    where they are, and repairs what it breaks; where that does not reach the state, the rest of the
    way is gone without. Other rules and a given r cannot: `Intervention.protected_broken` counts for all.

    Raises `InputError` for an unknown concept, state or rule, an r outside (0, min(s, 1 − s)], an
    empty text, a model without masks, and "guarded" without a profile.

    >>> done = intervene(model, "The waiter was slow.", "service", "Negative", profile=p)  # doctest: +SKIP
    >>> done.outcome, done.dropped, done.grown  # doctest: +SKIP
    ('reached', 96, 96)
    """
    chosen = rule_named(rule)
    case, subnetwork = _begin(model, text, concept, state)
    if chosen.needs_profile and profile is None:
        raise InputError(f"rule {rule!r} needs a guard profile; give one, or choose another rule")
    count = _count(r, subnetwork)
    found, broken = Found(0, True, 0), 0
    if protect is not None:
        protect.check(model.space)
    if not case.settled:
        held = None if protect is None else Held.of(subnetwork, protect.without(text, concept))
        batch = subnetwork.batch([text])

        def gap(current: Subnetwork) -> float:
            return lead(current.read(batch)[0], case.target) - MARGIN

        def gradient(current: Subnetwork) -> torch.Tensor:
            wanted = torch.tensor([case.target], device=model.device)
            return current.gradient(batch, lambda logits: F.cross_entropy(logits, wanted))[0]

        scale = profile.scale(subnetwork) if profile is not None and chosen.needs_profile else None
        rounds, reached, before = 0, False, None
        if held is not None and count is None and scale is not None:
            (encoded,) = model.encode([text])
            repaired = flip_protecting(subnetwork, chosen, encoded, case.target, held, scale)
            rounds, reached, before = repaired.rounds, repaired.reached, repaired.before
        elif held is not None:
            before = held.before(subnetwork)
        if count is not None:
            found = flip_fixed(subnetwork, chosen, count, gap, gradient, scale, seed)
        elif not reached:
            found = flip_fewest(subnetwork, chosen, gap, gradient, scale, seed)
        found = replace(found, gradients=found.gradients + 2 * rounds)
        if held is not None and before is not None:
            broken = before.broken(subnetwork, held)
    edit = subnetwork.edit()
    corrected = corrected_model(model, edit, {concept: subnetwork.matrices()})
    share = edit.size / 2 / subnetwork.total  # a second gradient may take back what the first did
    done = case.conclude(rule, corrected, edit, r, share, seed, found.gradients)
    return replace(done, protected_broken=broken)


def _begin(model: ConceptModel, text: str, concept: str, state: str) -> tuple[Case, Subnetwork]:
    """How the text is read now, and a copy of the subnetwork to work on: neither waits for the other."""

    def read() -> Case:
        return Case.of(model, text, concept, state)

    def copy() -> Subnetwork | None:
        masks = model.masks  # what is wrong with them, or with the concept, `read` says
        if masks is None or concept not in masks.concepts:
            return None
        return Subnetwork(model, masks, concept)

    work: list[Callable[[], Any]] = [read, copy]
    case, subnetwork = side_by_side(lambda part: part(), work, model.device)
    return case, subnetwork


def corrected_model(
    model: ConceptModel,
    edit: MaskEdit,
    matrices: Mapping[str, Mapping[str, torch.Tensor]] | None = None,
) -> ConceptModel:
    """The model under edited masks; network, tokenizer and untouched weights are shared with it.

    ``matrices`` gives effective weights (O, I) of changed concepts where they are known already.
    """
    if model.masks is None:
        raise InputError("this model has no masks to edit; load a SparseCBM")
    if not edit.size:
        return model
    masks, weights = edit.apply(model.masks), model.weights
    corrected = replace(model, masks=masks)
    if weights is not None:
        for concept in edit.concepts:
            known = (matrices or {}).get(concept) or Subnetwork(model, masks, concept).matrices()
            weights = weights.with_concept(concept, known)
        # What the cached property would make, at a Kth of its cost.
        corrected.__dict__["weights"] = weights
    return corrected


def _count(r: float | str, subnetwork: Subnetwork) -> int | None:
    """Weights to drop for a share r; None for "auto"."""
    if r == AUTO:
        return None
    kept = int(subnetwork.kept.sum()) / subnetwork.total
    limit = min(kept, 1.0 - kept)
    if isinstance(r, bool) or not isinstance(r, (int, float)) or not 0 < r <= limit:
        raise InputError(f"r must be 'auto' or a share in (0, {limit:.4g}] of the weights, got {r!r}")
    return max(1, round(r * subnetwork.total))

"""What a mask correction is compared with: the oracle, fine-tuning on the one review, its head alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from sparsecbm_core.intervene.correct import Case, intervene
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.flips import MARGIN
from sparsecbm_core.intervene.reading import leads
from sparsecbm_core.intervene.rules import ALL_RULES, AUTO, rule_named
from sparsecbm_core.intervene.subnetwork import Subnetwork

if TYPE_CHECKING:
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.intervene.protect import Protected
    from sparsecbm_core.intervene.results import Intervention
    from sparsecbm_core.models.concept_model import ConceptModel

FINETUNE_STEPS, FINETUNE_RATE = 20, 2e-5
HEAD_STEPS, HEAD_RATE = 100, 1e-2


def by_oracle(model: ConceptModel, text: str, concept: str, state: str) -> Intervention:
    """The concept set by hand, for this once: the model stays as it is, and so does its next answer."""
    return Case.of(model, text, concept, state).conclude("oracle", model, MaskEdit({}))


def finetune(model: ConceptModel, text: str, concept: str, state: str) -> Intervention:
    """Adam on the weights of the concept's subnetwork until its state leads, at most `FINETUNE_STEPS`.

    θ is shared: wherever subnetworks overlap, the other concepts change as well.
    """
    case = Case.of(model, text, concept, state)
    if case.settled:
        return case.conclude("finetune", model, MaskEdit({}))
    subnetwork, steps = Subnetwork(model, concept), 0
    subnetwork.theta = subnetwork.theta.clone()
    optimizer = torch.optim.Adam([subnetwork.theta], lr=FINETUNE_RATE)
    while steps < FINETUNE_STEPS and case.gap(subnetwork) < 0:
        by_weight, _ = subnetwork.weight_gradient(case.batch, case.loss)
        gradient = torch.cat([part.flatten() for part in by_weight.values()])
        subnetwork.theta.grad = gradient * subnetwork.kept
        optimizer.step()
        torch.mul(subnetwork.theta, subnetwork.kept, out=subnetwork.effective)
        steps += 1
    network, layers = copy.deepcopy(model.cbm), subnetwork.theta.split(subnetwork.sizes)
    for (name, shape), values in zip(subnetwork.shapes.items(), layers, strict=True):
        network.masked_layers[name].weight.data.copy_(values.view(shape))
    return case.conclude("finetune", replace(model, network=network), MaskEdit({}), gradients=steps)


def head_only(model: ConceptModel, text: str, concept: str, state: str) -> Intervention:
    """SGD on the concept's rows of ψ and its bias until the state leads, at most `HEAD_STEPS`."""
    model.space.concept_index(concept)  # the rest has no rows of states
    case = Case.of(model, text, concept, state)
    if case.settled:
        return case.conclude("head", model, MaskEdit({}))
    pooled, steps = Subnetwork(model, concept).pooled(case.batch), 0  # (1, E)
    network, k = copy.deepcopy(model.cbm), case.k
    rows, bias = network.projector.data[k].clone(), network.projector_bias.data[k].clone()
    goal = F.one_hot(case.wanted, model.space.num_states)
    while steps < HEAD_STEPS:
        logits = pooled @ rows.T + bias  # (1, C)
        if float(leads(logits, case.wanted)[0]) >= MARGIN:
            break
        error = logits.softmax(-1) - goal  # ∂CE/∂ℓ
        rows -= HEAD_RATE * error.T @ pooled
        bias -= HEAD_RATE * error[0]
        steps += 1
    network.projector.data[k], network.projector_bias.data[k] = rows, bias
    return case.conclude("head", replace(model, network=network), MaskEdit({}), gradients=steps)


BY_NAME = {"oracle": by_oracle, "finetune": finetune, "head": head_only}


def correct_by(
    rule: str,
    model: ConceptModel,
    text: str,
    concept: str,
    state: str,
    r: float | str = AUTO,
    profile: GuardProfile | None = None,
    seed: int = 0,
    protect: Protected | None = None,
) -> Intervention:
    """`intervene` by any of `ALL_RULES`: a comparator knows no r and no profile, and protects nothing."""
    if rule_named(rule, ALL_RULES).flips_masks:
        return intervene(model, text, concept, state, rule, r, profile, seed, protect)
    return BY_NAME[rule](model, text, concept, state)

"""What teaches the honest bottleneck to be true: parts apart, concepts set by hand, edits that stay local."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
import torch.nn.functional as F

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.config import TrainSettings
from sparsecbm_core.data.types import Example, edited_concept
from sparsecbm_core.models.honest_cbm import HonestCBM
from sparsecbm_core.models.sparse_cbm import CBMOutput
from sparsecbm_core.training.losses import LabelledBatch


def pathway_losses(
    network: HonestCBM, output: CBMOutput, batch: LabelledBatch, settings: TrainSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Task loss of one batch, with concepts as read and set by hand, and the weighed locality loss."""
    activations = network.activate(output.readings, settings.task_on_states)
    task = task_loss(network, activations, batch.labels, settings.rest, settings.rest_penalty)
    if settings.interventions:
        votes = batch.concepts if batch.votes is None else batch.votes
        states = torch.multinomial(votes.flatten(0, 1), 1).view(votes.shape[:2])  # (B, K)
        strengths = network.strengths(output.readings)
        by_hand = set_by_hand(activations, strengths, states, which_to_set(states))
        corrected = task_loss(network, by_hand, batch.labels, settings.rest, settings.rest_penalty)
        task = task + settings.interventions * corrected
    if not settings.locality or batch.pairs is None or not len(batch.pairs):
        return task, torch.zeros_like(task)
    contributions = network.contributions(output.activations)  # (B, P, Y)
    return task, settings.locality * locality_loss(contributions[:, :-1], batch.pairs)


def task_loss(
    network: HonestCBM, activations: torch.Tensor, labels: torch.Tensor, rest: str, penalty: float = 0.0
) -> torch.Tensor:
    """Cross-entropy of activations (B, P, A), once for the concepts alone and once for what the rest adds.

    "on_top": the rest learns what the concepts leave over, and they do not hear of it. In one "joint" loss it
    would take all that concepts could say. ``penalty`` weighs how far it moves the expected label from where
    concepts alone have it, in lengths of the labels' scale: it may say how sure they are, at no cost, and
    where no concept is mentioned ("Never again.") the answer is its own.
    """
    if rest == "joint":
        return F.cross_entropy(network.label_logits(activations).float(), labels)
    concepts, rest_alone = activations.clone(), activations.clone()
    concepts[:, -1] = 0.0
    alone = F.cross_entropy(network.label_logits(concepts).float(), labels)
    if rest == "none":
        return alone
    rest_alone[:, :-1] = 0.0
    added = network.contributions(concepts).sum(1).detach()  # (B, Y)
    whole = added + network.label_logits(rest_alone).float()
    loss = alone + F.cross_entropy(whole, labels)
    values = network.space.label_values
    if not penalty or values is None:
        return loss
    scale = whole.new_tensor(values) / (max(values) - min(values))
    bias = network.classifier_bias.detach()
    moved = (whole.softmax(-1) @ scale - (added + bias).softmax(-1) @ scale).abs()  # (B,)
    mentioned = (concepts > 0).flatten(1).any(1)
    return loss + penalty * (moved * mentioned).mean()


def which_to_set(states: torch.Tensor) -> torch.Tensor:
    """Of half of the texts every concept (B, K), of the others every second one on average: whoever corrects
    a reading leaves those that are right (as IntCEM draws concepts, Espinosa Zarlenga et al. 2023)."""
    whole = torch.rand(len(states), 1, device=states.device) < 0.5
    return whole | (torch.rand(states.shape, device=states.device) < 0.5)


def set_by_hand(
    activations: torch.Tensor, strengths: torch.Tensor, states: torch.Tensor, chosen: torch.Tensor
) -> torch.Tensor:
    """The activations (B, P, A) of a batch with the ``chosen`` concepts (B, K) in one of ``states`` (B, K),
    with the ``strengths`` (B, K, C) that each text gives them.

    States are drawn from the annotators' votes: where these disagree, the label has to be right whichever of
    them is believed.
    """
    certain = strengths * F.one_hot(states, strengths.shape[-1])
    said = activations.clone()
    read = said[:, :-1, : strengths.shape[-1]]
    said[:, :-1, : strengths.shape[-1]] = torch.where(chosen[..., None], certain, read)
    return said


def locality_loss(contributions: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """Mean |φ_j·(a_j(x) − a_j(x'))| over pairs of texts, summed over the concepts j that differ in nothing.

    ``contributions`` (B, K, Y) to the label logits, ``pairs`` (n, 3): positions of two texts in the batch,
    and the concept in which they differ.
    """
    first, second, edited = pairs.unbind(1)
    moved = (contributions[first] - contributions[second]).abs().mean(-1)  # (n, K)
    others = 1 - F.one_hot(edited, contributions.shape[1])
    return (moved * others).sum(1).mean()


def edit_pairs(examples: Sequence[Example], space: ConceptSpace) -> list[tuple[int, int, int]]:
    """(position, position, concept) of texts of one group between which one concept was edited."""
    groups: dict[str, list[int]] = {}
    for position, example in enumerate(examples):
        if example.group is not None:
            groups.setdefault(example.group, []).append(position)
    pairs = []
    for members in groups.values():
        for first, second in combinations(members, 2):
            edited = edited_concept(examples[first], examples[second])
            if edited is not None:
                pairs.append((first, second, space.concept_index(edited)))
    return pairs

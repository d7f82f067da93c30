"""The joint loss of the concept bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.data.batches import Encoded, collate
from sparsecbm_core.data.types import Example
from sparsecbm_core.models.sparse_cbm import CBMOutput


@dataclass(frozen=True)
class LabelledBatch:
    """Tokens (B, T) with concept targets (B, K, C) and label targets (B, Y), rows summing to 1.

    Label targets may be indices (B,) as well. ``votes`` (B, K, C) are the annotators' shares alone, and
    ``pairs`` (n, 3) two positions in the batch whose texts differ in one concept, and which that is; None
    where neither is needed.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    concepts: torch.Tensor
    labels: torch.Tensor
    votes: torch.Tensor | None = None
    pairs: torch.Tensor | None = None


def concept_targets(examples: Sequence[Example], space: ConceptSpace, soft: float) -> torch.Tensor:
    """Target distributions (N, K, C): the majority state, mixed with vote shares by ``soft``."""
    majority = torch.tensor([example.concepts for example in examples])  # (N, K)
    targets = F.one_hot(majority, space.num_states).float()
    if soft:
        votes = [
            example.votes if example.votes is not None else target.tolist()
            for example, target in zip(examples, targets, strict=True)
        ]
        targets = (1.0 - soft) * targets + soft * torch.tensor(votes)
    return targets


def labelled_batch(
    indices: Sequence[int],
    encoded: Sequence[Encoded],
    targets: torch.Tensor,
    labels: torch.Tensor,
    pad_id: int,
    device: torch.device,
) -> LabelledBatch:
    """Gather and pad the examples of one batch."""
    tokens = collate([encoded[i] for i in indices], pad_id)
    chosen = torch.tensor(list(indices))
    return LabelledBatch(
        tokens.input_ids.to(device),
        tokens.attention_mask.to(device),
        targets[chosen].to(device),
        labels[chosen].to(device),
    )


def concept_loss(concept_logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Σ_k CE(ℓ_k, c_k), averaged over the batch. On logits: over σ(ℓ) it could never fall below .551."""
    k = concept_logits.shape[1]
    return k * F.cross_entropy(concept_logits.float().flatten(0, 1), targets.flatten(0, 1))


def label_targets(examples: Sequence[Example], space: ConceptSpace, soft: float) -> torch.Tensor:
    """Target distributions (N, Y): the majority label, mixed with vote shares by ``soft``.

    Where the annotators agreed on none, the votes alone.
    """
    targets = F.one_hot(torch.tensor([example.label for example in examples]), space.num_labels).float()
    for i, example in enumerate(examples):
        share = 1.0 if example.undecided else soft
        if share and example.label_votes is not None:
            targets[i] = (1.0 - share) * targets[i] + share * torch.tensor(example.label_votes)
    return targets


def swap_loss(swapped_logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """What concept k's projector says of another concept's subnetwork, against knowing nothing.

    ``swapped_logits`` (P, B, K, C): [j, b, k] = ψ_k z_j + b_k for review b. Mean cross-entropy over j ≠ k
    to the concept's mean target ``shares`` (K, C), so that the least is reached by the frequencies of the
    states alone.
    """
    parts, _, k, _ = swapped_logits.shape
    apart = ~torch.eye(parts, k, dtype=torch.bool, device=swapped_logits.device)
    entropy = -(swapped_logits.float().log_softmax(-1) * shares[None, None]).sum(-1).mean(1)  # (P, K)
    return entropy[apart].mean()


@dataclass(frozen=True)
class JointLoss:
    """``task`` and ``concept`` = Σ_k CE(ℓ_k, c_k), each averaged over the batch, and γ; ``swap`` and
    ``locality`` have their weights already."""

    task: torch.Tensor
    concept: torch.Tensor
    gamma: float
    swap: torch.Tensor | float = 0.0
    locality: torch.Tensor | float = 0.0

    @property
    def total(self) -> torch.Tensor:
        """What is minimised: task + γ · concept (Eq. 1, 2), and the other losses where there are any."""
        return self.task + self.gamma * self.concept + self.swap + self.locality


def joint_loss(output: CBMOutput, batch: LabelledBatch, gamma: float) -> JointLoss:
    """Task and concept loss of one batch.

    The label logits sum over all concepts (Eq. 3), so the gradient that reaches subnetwork k is
    that of its decomposed loss with the other concepts' activations held fixed.
    """
    task = F.cross_entropy(output.label_logits.float(), batch.labels)
    return JointLoss(task, concept_loss(output.concept_logits, batch.concepts), gamma)

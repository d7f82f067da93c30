"""What a concept's activations are when a person says its state: two ways to fill in the bottleneck."""

from __future__ import annotations

import torch

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_states
from sparsecbm_core.evaluate.common import check_fits
from sparsecbm_core.models.concept_model import ConceptModel, Predictions

ONE_HOT, TYPICAL = "one_hot", "typical"


def one_hot_values(concepts: int, states: int) -> torch.Tensor:
    """v (K, C, C) float64: v[k, s] is 1 for state s and 0 for the others, as `intervene.oracle` sets them.

    Plain, and out of reach for a model: σ(ℓ) is never 0 or 1, so the label head has not seen such values.
    """
    return torch.eye(states, dtype=torch.float64).expand(concepts, -1, -1).clone()


def typical_values(activations: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """v (K, C, C) float64: v[k, s] is the mean activation of concept k over reviews whose gold state is s.

    ``activations`` (N, K, C) and gold ``states`` (N, K) of reference reviews, other than the ones measured
    on. The counterpart, for activations of several states, of the 5th and 95th percentiles that Koh et al.
    (2020, Section 5) set. A state that no reference review has keeps its one-hot values.
    Means of many reviews are milder than any one of them, so labels read from them tend to the middle.
    """
    if activations.ndim != 3 or not len(activations) or states.shape != activations.shape[:2]:
        raise InputError(
            f"activations {tuple(activations.shape)} for states {tuple(states.shape)}; (N, K, C) and (N, K) "
            "of at least one review are needed"
        )
    count, states = activations.shape[-1], states.long()
    member = torch.nn.functional.one_hot(states, count).double()  # (N, K, S)
    sums = torch.einsum("nks,nkc->ksc", member, activations.double())
    sizes = member.sum(0)[..., None]  # (K, S, 1)
    return torch.where(sizes > 0, sums / sizes.clamp(min=1), one_hot_values(activations.shape[1], count))


def value_tables(
    model: ConceptModel,
    reference: ReviewDataset | None,
    predictions: Predictions | None = None,
) -> dict[str, torch.Tensor]:
    """ "one_hot" and, with reference reviews, "typical" values (K, C, C) for a model.

    ``predictions`` are the model's on the reference reviews, if they have been made.
    """
    space = model.space
    tables = {ONE_HOT: one_hot_values(space.num_concepts, space.num_states)}
    if reference is not None:
        check_fits(model, reference)
        made = model.predict(reference.texts) if predictions is None else predictions
        if made.activations is None:
            raise InputError("a standard classifier has no concepts to set")
        tables[TYPICAL] = typical_values(made.activations, torch.as_tensor(gold_states(reference)))
    return tables


def label_logits(model: ConceptModel, activations: torch.Tensor) -> torch.Tensor:
    """Σ_k φ_k a_k + b in float64 on the CPU: (…, K, C) → (…, Y)."""
    network = model.cbm
    phi = network.classifier.detach().cpu().double()  # (Y, K, C)
    bias = network.classifier_bias.detach().cpu().double()
    return torch.einsum("...kc,ykc->...y", activations.double(), phi) + bias

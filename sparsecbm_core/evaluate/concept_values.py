"""What a concept's activations are when a person says its state: two ways to fill in the bottleneck."""

from __future__ import annotations

import torch

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_states
from sparsecbm_core.evaluate.common import check_fits
from sparsecbm_core.models.concept_model import ConceptModel, Predictions

ONE_HOT, TYPICAL = "one_hot", "typical"


def hand_values(model: ConceptModel, readings: torch.Tensor) -> torch.Tensor:
    """v (N, K, C, A) float64: v[n, k, s] are the activations of concept k of text n where a person says that
    its state is s, from readings (N, P, R). As `intervene.oracle` sets them.

    Of the paper's head 1 for state s and 0 for the others, out of reach for a model: σ(ℓ) is never 0 or 1,
    so the label head has not seen such values. Of the honest head the strength that this text gives to s.
    """
    width = model.cbm.reference.shape[-1]
    with torch.inference_mode():
        strengths = model.cbm.strengths(readings.double().to(model.device)).cpu()  # (N, K, C)
    values = torch.diag_embed(strengths)
    return torch.nn.functional.pad(values, (0, width - values.shape[-1]))


def typical_values(activations: torch.Tensor, states: torch.Tensor, otherwise: torch.Tensor) -> torch.Tensor:
    """v (K, C, A) float64: v[k, s] is the mean activation of concept k over reviews whose gold state is s.

    ``activations`` (N, K, A) and gold ``states`` (N, K) of reference reviews, other than the ones measured
    on. The counterpart, for activations of several states, of the 5th and 95th percentiles that Koh et al.
    (2020, Section 5) set. A state that no reference review has is set as in ``otherwise`` (K, C, A).
    Means of many reviews are milder than any one of them, so labels read from them tend to the middle.
    """
    if activations.ndim != 3 or not len(activations) or states.shape != activations.shape[:2]:
        raise InputError(
            f"activations {tuple(activations.shape)} for states {tuple(states.shape)}; (N, K, A) and (N, K) "
            "of at least one review are needed"
        )
    member = torch.nn.functional.one_hot(states.long(), otherwise.shape[1]).double()  # (N, K, S)
    sums = torch.einsum("nks,nka->ksa", member, activations.double())
    sizes = member.sum(0)[..., None]  # (K, S, 1)
    return torch.where(sizes > 0, sums / sizes.clamp(min=1), otherwise.double())


def value_tables(
    model: ConceptModel,
    readings: torch.Tensor,
    reference: ReviewDataset | None,
    predictions: Predictions | None = None,
) -> dict[str, torch.Tensor]:
    """ "one_hot" and, with reference reviews, "typical" values (N, K, C, A) for texts with ``readings``.

    ``predictions`` are the model's on the reference reviews, if they have been made.
    """
    tables = {ONE_HOT: hand_values(model, readings)}
    if reference is not None:
        check_fits(model, reference)
        made = model.predict(reference.texts) if predictions is None else predictions
        if made.activations is None or made.readings is None:
            raise InputError("a standard classifier has no concepts to set")
        own = made.activations[:, : model.space.num_concepts]
        otherwise = hand_values(model, made.readings).mean(0)
        typical = typical_values(own, torch.as_tensor(gold_states(reference)), otherwise)
        tables[TYPICAL] = typical.expand(len(readings), -1, -1, -1)
    return tables


def labels_with(
    model: ConceptModel, readings: torch.Tensor, states: torch.Tensor, chosen: torch.Tensor
) -> torch.Tensor:
    """Labels (N,) of texts with readings (N, P, R), their concepts set to ``states`` (N, K) where ``chosen``
    (N, K) says so."""
    said = readings.clone()
    for k in range(states.shape[1]):
        rows = chosen[:, k]
        said[rows] = model.cbm.stated(said[rows], k, states[rows, k])
    return model.predictions(said).labels


def label_logits(model: ConceptModel, activations: torch.Tensor) -> torch.Tensor:
    """Σ_k φ_k a_k + b in float64 on the CPU: (…, P, A) → (…, Y)."""
    network = model.cbm
    phi = network.phi.detach().cpu().double()  # (Y, P, A)
    bias = network.classifier_bias.detach().cpu().double()
    return torch.einsum("...pa,ypa->...y", activations.double(), phi) + bias

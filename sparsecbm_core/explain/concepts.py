"""Concept → label: what each concept adds to each label's logit, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sparsecbm_core.models.sparse_cbm import SparseCBM


@dataclass(frozen=True)
class LabelParts:
    """Label logits taken apart, of one text or, with a first dimension more, of many; float64 on the CPU.

    ``contributions`` (P, Y) Σ_c φ[y,k,c]·a[k,c], which with ``bias`` (Y,) add up to ``logits``
    (Y,); ``relative`` (P, Y) Σ_c φ[y,k,c]·(a−ā)[k,c], which with ``base`` (Y,) add up to the same.
    """

    contributions: torch.Tensor
    relative: torch.Tensor
    bias: torch.Tensor
    base: torch.Tensor
    logits: torch.Tensor


def label_parts(network: SparseCBM, activations: torch.Tensor) -> LabelParts:
    """Contributions of P parts to Y labels, from activations (…, P, A).

    The relative ones are measured against the head's reference: for a linear head they are the exact SHAP
    values (Lundberg & Lee, 2017, Corollary 1). Of the paper's head it is ā, the mean activations over the
    training data: they are zero for a concept that is as it is in the average text, where the plain ones
    never are, because activations lie above 0. Of the honest head it is the text that says nothing, and
    both are the same.
    """
    phi = network.phi.detach().cpu().double()  # (Y, P, A)
    mean = network.reference.detach().cpu().double()  # (P, A)
    bias = network.classifier_bias.detach().cpu().double()  # (Y,)
    a = activations.detach().cpu().double()
    contributions = torch.einsum("...pa,ypa->...py", a, phi)
    average = torch.einsum("pa,ypa->py", mean, phi)
    return LabelParts(
        contributions=contributions,
        relative=torch.einsum("...pa,ypa->...py", a - mean, phi),
        bias=bias,
        base=average.sum(0) + bias,
        logits=contributions.sum(-2) + bias,
    )

"""Concept → label: what each concept adds to each label's logit, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sparsecbm_core.models.sparse_cbm import SparseCBM


@dataclass(frozen=True)
class LabelParts:
    """One text's label logits, taken apart; float64 on the CPU.

    ``contributions`` (K, Y) Σ_c φ[y,k,c]·a[k,c], which with ``bias`` (Y,) add up to ``logits``
    (Y,); ``relative`` (K, Y) Σ_c φ[y,k,c]·(a−ā)[k,c], which with ``base`` (Y,) add up to the same.
    """

    contributions: torch.Tensor
    relative: torch.Tensor
    bias: torch.Tensor
    base: torch.Tensor
    logits: torch.Tensor


def label_parts(network: SparseCBM, activations: torch.Tensor) -> LabelParts:
    """Contributions of K concepts to Y labels, from activations (K, C).

    The relative ones are measured against ā, the mean activations over the training data: for a
    linear head they are the exact SHAP values (Lundberg & Lee, 2017, Corollary 1), and zero for
    a concept that is as it is in the average text. The plain ones are never zero, because
    activations lie above 0.
    """
    phi = network.classifier.detach().cpu().double()  # (Y, K, C)
    mean = network.get_buffer("mean_activations").cpu().double()  # (K, C)
    bias = network.classifier_bias.detach().cpu().double()  # (Y,)
    a = activations.detach().cpu().double()
    contributions = torch.einsum("kc,ykc->ky", a, phi)
    average = torch.einsum("kc,ykc->ky", mean, phi)
    return LabelParts(
        contributions=contributions,
        relative=torch.einsum("kc,ykc->ky", a - mean, phi),
        bias=bias,
        base=average.sum(0) + bias,
        logits=contributions.sum(0) + bias,
    )

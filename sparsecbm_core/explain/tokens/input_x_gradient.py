"""Input × gradient: the first-order effect of each word's embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.explain.tokens.method import TokenMethod

if TYPE_CHECKING:
    import torch

    from sparsecbm_core.explain.tokens.inputs import TokenInputs


def score(inputs: TokenInputs) -> tuple[torch.Tensor, None]:
    """Σ_e e_t · ∂ λ_k[c] / ∂ e_t per token, summed per word (Shrikumar et al., 2016)."""
    return inputs.word_sums(
        (inputs.gradients(inputs.leads(inputs.logits)) * inputs.embeds.detach()).sum(-1)
    ), None


METHOD = TokenMethod(
    "input_x_gradient",
    "Input × gradient",
    "gradient times embedding: as fast as the gradient norm, with a sign",
    score,
    signed=True,
    uses_graph=True,
    passes=lambda steps, words: 0,
    cost=3.0,
)

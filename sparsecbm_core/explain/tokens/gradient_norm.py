"""Gradient norm: how sharply the concept's logit answers to each word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.explain.tokens.method import TokenMethod

if TYPE_CHECKING:
    import torch

    from sparsecbm_core.explain.tokens.inputs import TokenInputs


def score(inputs: TokenInputs) -> tuple[torch.Tensor, None]:
    """‖∂ ℓ_k[c] / ∂ e_t‖₂ per token, summed per word (Tan et al., AAAI 2024).

    Unsigned: a large score says that the word matters, not in which direction.
    """
    return inputs.word_sums(inputs.gradients(inputs.logits).norm(dim=-1)), None  # (K, T, E) → (K, T) → (K, G)


METHOD = TokenMethod(
    "gradient",
    "Gradient norm",
    "length of the logit's gradient at each word, the paper's measure: fast, without a sign",
    score,
    signed=False,
    uses_graph=True,
    passes=lambda steps, words: 0,
    cost=3.0,
)

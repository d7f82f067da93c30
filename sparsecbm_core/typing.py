"""Named tensor shapes, and the letters that shape comments use.

B examples, K concepts, C states, Y labels, T tokens, E embedding width, R = B·K rows
(concept fastest), L prunable weights, m gradients, O × I a weight matrix (out × in features).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch

    TokenIds: TypeAlias = torch.Tensor  # (B, T) int64
    PaddingMask: TypeAlias = torch.Tensor  # (B, T), 1 for a token, 0 for padding
    Embeddings: TypeAlias = torch.Tensor  # (B, T, E) or (R, T, E) float
    ConceptLogits: TypeAlias = torch.Tensor  # (B, K, C) float
    Activations: TypeAlias = torch.Tensor  # (B, K, C) float in (0, 1)
    LabelLogits: TypeAlias = torch.Tensor  # (B, Y) float
    BoolMask: TypeAlias = torch.Tensor  # (K, O, I) bool

"""Named tensor shapes, and the letters that shape comments use.

B examples, K concepts, C states, Y labels, P parts (the K concepts, and of some heads the rest of the text),
R values read off a part, A activations of it, T tokens, E embedding width, L prunable weights, m gradients,
O × I a weight matrix (out × in features).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch

    TokenIds: TypeAlias = torch.Tensor  # (B, T) int64
    PaddingMask: TypeAlias = torch.Tensor  # (B, T), 1 for a token, 0 for padding
    Embeddings: TypeAlias = torch.Tensor  # (B, T, E), or (B·P, T, E) with the part fastest, float
    ConceptLogits: TypeAlias = torch.Tensor  # (B, K, C) float
    Readings: TypeAlias = torch.Tensor  # (B, P, R) float, concept logits among them
    Activations: TypeAlias = torch.Tensor  # (B, P, A) float
    LabelLogits: TypeAlias = torch.Tensor  # (B, Y) float
    BoolMask: TypeAlias = torch.Tensor  # (K, O, I) bool

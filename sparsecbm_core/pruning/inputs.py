"""What the layers of every subnetwork read: the input norms that Wanda weighs a weight with."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.subnetworks import ConceptWeights


class InputSquares:
    """Σ x² of every input feature of one matrix, (K, I) float64, over tokens that are not padding.

    Each batch's padding mask is set before the network reads it, in ``keep``: (K·B, T), concept slowest.
    """

    def __init__(self, concepts: int, in_features: int) -> None:
        self.sums = torch.zeros(concepts, in_features, dtype=torch.float64)
        self.keep: torch.Tensor | None = None

    def add(self, x: torch.Tensor) -> None:
        """Inputs (K·B, T, I), or the same with the first two dimensions flattened."""
        concepts, in_features = self.sums.shape
        if self.keep is None or self.keep.numel() * in_features != x.numel():
            raise SettingsError(
                f"a layer reads inputs of shape {tuple(x.shape)}, which are not one for each token of the "
                "batch; criterion 'wanda' cannot tell them from padding"
            )
        squares = x.detach().float().reshape(concepts, -1, in_features).square()  # (K, B·T, I)
        keep = self.keep.reshape(concepts, -1, 1).to(squares.dtype)  # (K, B·T, 1)
        self.sums += (squares * keep).sum(dim=1).cpu().double()

    def norms(self) -> torch.Tensor:
        """‖X_j‖₂ per concept, (K, I) float64."""
        return self.sums.sqrt()


@dataclass(frozen=True)
class ObservedWeights(ConceptWeights):
    """`ConceptWeights` that also note what they are multiplied with."""

    squares: InputSquares | None = None

    def only(self, k: int) -> ConceptWeights:
        raise SettingsError("criterion 'wanda' reads all concepts at once")

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if self.squares is not None:
            self.squares.add(x)
        return super().linear(x, bias)

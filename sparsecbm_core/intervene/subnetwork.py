"""One concept's subnetwork as a private copy: flip bits in it, read reviews with it, differentiate it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.reading import Batch, batch_of, read_part
from sparsecbm_core.models.lines import LineWeights
from sparsecbm_core.models.parallel import side_by_side
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights, RowWeights, active

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.models.sparse_cbm import SparseCBM

Loss = Callable[[torch.Tensor], torch.Tensor]  # readings (B, R) → scalar


class Subnetwork:
    """M_k ⊙ θ of one concept, or of the rest, all L prunable weights in one row of memory.

    ``theta`` (L,) are the dense weights, ``kept`` (L,) the mask bits, ``effective`` (L,) their
    product, each matrix after the other in layer order, row-major. The model is only read, and so is
    ``theta``, which all subnetworks of a network share. Raises `InputError` for a model without masks.
    """

    def __init__(self, model: ConceptModel, concept: str) -> None:
        masks = model.masks
        if masks is None:
            raise InputError("this model has no masks to correct; load a SparseCBM")
        self.model, self.network, self.concept = model, model.cbm, concept
        self.index = self.network.part_index(concept)
        self.shapes = dict(self.network.mask_shapes)
        self.sizes = [rows * columns for rows, columns in self.shapes.values()]
        self.theta = flat_weights(self.network)
        bits = np.concatenate([masks.concept_bool(name, concept).reshape(-1) for name in self.shapes])
        self.kept = torch.from_numpy(bits).to(model.device)
        self._flipped: list[torch.Tensor] = []
        self.effective = self.theta * self.kept

    @property
    def total(self) -> int:
        """L."""
        return self.theta.numel()

    def flip(self, indices: torch.Tensor) -> None:
        """Turn the bits at ``indices`` (n,) over; again turns them back."""
        self.kept[indices] = ~self.kept[indices]
        self.effective[indices] = self.theta[indices] * self.kept[indices]
        self._flipped.append(indices)

    def edit(self) -> MaskEdit:
        """All bits that differ from the mask set this began with."""
        turned = torch.cat(self._flipped) if self._flipped else torch.empty(0, dtype=torch.long)
        indices, times = turned.unique(return_counts=True)
        changed = indices[times % 2 == 1].cpu().numpy()
        flips, first = {}, 0
        for name, size in zip(self.shapes, self.sizes, strict=True):
            low, high = np.searchsorted(changed, (first, first + size))
            flips[name] = changed[low:high] - first
            first += size
        return MaskEdit({self.concept: flips})

    def matrices(self) -> dict[str, torch.Tensor]:
        """Views (O, I) into ``effective``."""
        parts = self.effective.split(self.sizes)
        return {
            name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def weights(self) -> EffectiveWeights:
        """The present matrices for reading many reviews: of whole rows or columns only these, as a copy."""
        found: dict[str, RowWeights] = {}
        for name, matrix in self.matrices().items():
            found[name] = LineWeights.cut([matrix]) or ConceptWeights(matrix[None])
        return EffectiveWeights((self.concept,), found)

    def batch(self, texts: Sequence[str]) -> Batch:
        """Texts as padded ids and attention mask on the model's device."""
        return batch_of(self.model, self.model.encode(texts))

    def read(self, batch: Batch) -> torch.Tensor:
        """Readings (B, R); of a concept its logits come first."""
        with torch.inference_mode():
            return self.project(self._pooled(batch, self.matrices()))

    def read_many(self, encoded: Sequence[Encoded]) -> torch.Tensor:
        """The same of any number of reviews, on the CPU (N, R)."""
        return read_part(self.model, encoded, self.concept, weights=self.weights())

    def project(self, pooled: torch.Tensor) -> torch.Tensor:
        """ℓ_k = ψ_k z_k + b_k, and whatever else is read: (B, E) → (B, R)."""
        return self.network.project(pooled[None], [self.index])[:, 0]

    def logits(self, readings: torch.Tensor) -> torch.Tensor:
        """ℓ_k (…, C) among the readings (…, R) of a concept."""
        return readings[..., : self.network.space.num_states]

    def pooled(self, batch: Batch) -> torch.Tensor:
        """z_k (B, E), what the projector reads."""
        with torch.inference_mode():
            return self._pooled(batch, self.matrices()).clone()

    def gradient(self, batch: Batch, loss: Loss) -> tuple[torch.Tensor, torch.Tensor]:
        """∂L/∂M_k (L,) at the present masks, kept and pruned weights alike, and the readings (B, R).

        With θ_eff = M ⊙ θ the chain rule gives ∂L/∂m_j = (∂L/∂θ_eff,j)·θ_j.
        """
        by_weight, readings = self.weight_gradient(batch, loss)
        by_bit = torch.empty_like(self.theta)

        def chain(parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
            by_weight, theta, out = parts
            torch.mul(by_weight.flatten(), theta, out=out)

        split = self.theta.split(self.sizes), by_bit.split(self.sizes)
        side_by_side(chain, zip(by_weight.values(), *split, strict=True), self.model.device)
        return by_bit, readings

    def weight_gradient(self, batch: Batch, loss: Loss) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """∂L/∂θ_eff by matrix, (O, I) each, and the readings (B, R)."""
        with torch.inference_mode(False), torch.enable_grad():
            leaves = {name: view.detach().requires_grad_() for name, view in self.matrices().items()}
            readings = self.project(self._pooled(batch, leaves))
            gradients = torch.autograd.grad(loss(readings), list(leaves.values()))
        return dict(zip(leaves, gradients, strict=True)), readings.detach()

    def _pooled(self, batch: Batch, matrices: dict[str, torch.Tensor]) -> torch.Tensor:
        ids, mask = batch
        weights = {name: ConceptWeights(matrix[None]) for name, matrix in matrices.items()}
        with active(EffectiveWeights((self.concept,), weights)):
            return self.network.pooled(self.network.embed(ids), mask)


# θ of a network as one row of memory, with the state of the weights that it was made of.
_FLAT: WeakKeyDictionary[SparseCBM, tuple[tuple[tuple[int, int], ...], torch.Tensor]] = WeakKeyDictionary()


def flat_weights(network: SparseCBM) -> torch.Tensor:
    """The prunable weights (L,) of a network in float32: made once for all its subnetworks, not to change."""
    weights = [network.masked_layers[name].weight.detach() for name in network.mask_shapes]
    state = tuple((weight.data_ptr(), weight._version) for weight in weights)
    known = _FLAT.get(network)
    if known is None or known[0] != state:
        known = state, torch.cat([weight.flatten() for weight in weights]).float()
        _FLAT[network] = known
    return known[1]

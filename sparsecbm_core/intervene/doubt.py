"""Which predictions a reading in bfloat16 leaves in doubt, by how far it is off for this very model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sparsecbm_core.intervene.reading import read_concept

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded
    from sparsecbm_core.models.concept_model import ConceptModel

SAMPLE = 64  # reviews that the error is measured on
# Leads below so many root mean square errors are in doubt. In 27 readings of 243 reviews by the bundled
# model, after 14 single corrections and along a chain of 40, the largest error was 9.2 of them for states;
# in the first 14 it was 8.4 for labels.
FACTOR = 12.0
LEAST = 1e-4  # an error that float32 itself makes


@dataclass(frozen=True)
class HalfError:
    """Root mean square error, per concept, of a state's lead over the others when read in bfloat16.

    Errors do not add up along a chain of corrections: each reading is made of the weights as they are.
    """

    lead: tuple[float, ...]

    @classmethod
    def measure(cls, model: ConceptModel, encoded: Sequence[Encoded], logits: torch.Tensor) -> HalfError:
        """From up to `SAMPLE` of the reviews, read both ways; ``logits`` (N, K, C) are the exact ones."""
        stride = -(-len(encoded) // SAMPLE)
        sample, exact = encoded[::stride], logits[::stride]
        errors = [
            lead_error(read_concept(model, sample, concept, half=True), exact[:, k])
            for k, concept in enumerate(model.space.concepts)
        ]
        return cls(tuple(max(LEAST, float(error.square().mean().sqrt())) for error in errors))

    def state_in_doubt(self, logits: torch.Tensor, k: int) -> torch.Tensor:
        """Reviews (N,) whose state of concept k could be another: logits (N, C) read in bfloat16."""
        first = logits.topk(2, -1).values
        return first[:, 0] - first[:, 1] < FACTOR * self.lead[k]

    def label_in_doubt(self, model: ConceptModel, logits: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
        """Reviews (N,) whose label could be another: concept logits (N, K, C), some of them ``exact`` (N, K).

        An error of ε in ℓ_k moves the lead of label y over y′ by at most ε Σ_c |φ_y − φ_y′| a(1 − a), to
        first order; the errors of different concepts are independent, so their squares add.
        """
        labels, phi = label_logits(model, logits), model.cbm.classifier.detach().cpu()  # (N, Y), (Y, K, C)
        first = labels.argmax(-1)
        slope = logits.sigmoid() * (1 - logits.sigmoid())  # (N, K, C)
        moves = ((phi[first][:, None] - phi[None]).abs() * slope[:, None]).sum(-1)  # (N, Y, K)
        off = moves * torch.tensor(self.lead) * ~exact[:, None]
        ahead = labels.gather(-1, first[:, None]) - labels  # (N, Y)
        close = ahead < FACTOR * off.square().sum(-1).sqrt()
        return close.scatter(-1, first[:, None], False).any(-1)


def label_logits(model: ConceptModel, logits: torch.Tensor) -> torch.Tensor:
    """Label logits (N, Y) on the CPU that follow from concept logits (N, K, C)."""
    with torch.inference_mode():
        return model.cbm.label_logits(logits.to(model.device).sigmoid()).cpu()


def lead_error(read: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """The largest error (N,) of the first's leads over each of the others; both (N, C)."""
    first = read.argmax(-1, keepdim=True)
    ahead, truly = (logits.gather(-1, first) - logits for logits in (read, exact))
    return (ahead - truly).abs().amax(-1)

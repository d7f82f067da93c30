"""A rule's order of the weights, and going back and forth along it."""

from __future__ import annotations

import torch

from sparsecbm_core.intervene.rules import Rule, RuleInputs, highest
from sparsecbm_core.intervene.subnetwork import Subnetwork


class FlipOrder:
    """The weights that a rule would drop and grow, best first, the first ``count`` of them flipped.

    At most ``limit``; as many are grown as dropped, so the sparsity is the same at every ``count``.
    """

    def __init__(self, subnetwork: Subnetwork, drop: torch.Tensor, grow: torch.Tensor) -> None:
        self.subnetwork, self.drop, self.grow = subnetwork, drop, grow
        self.limit, self.count = min(drop.numel(), grow.numel()), 0

    @classmethod
    def of(
        cls,
        subnetwork: Subnetwork,
        rule: Rule,
        limit: int,
        gradient: torch.Tensor,
        profile: torch.Tensor | None,
        seed: int,
    ) -> FlipOrder:
        """Order by ``gradient`` ∂L/∂M_k (L,) at the present masks; ``profile`` h (L,) if needed."""
        generator = torch.Generator().manual_seed(seed)
        kept = subnetwork.kept
        scores = rule.scores(RuleInputs(gradient, kept, profile, generator))
        return cls(subnetwork, highest(scores, kept, limit), highest(scores, ~kept, limit))

    def go_to(self, count: int) -> None:
        """Have the first ``count`` weights dropped and grown, no more and no fewer."""
        low, high = sorted((self.count, count))
        self.subnetwork.flip(torch.cat([self.drop[low:high], self.grow[low:high]]))
        self.count = count

"""A rule's order of the weights, and going back and forth along it."""

from __future__ import annotations

import torch

from sparsecbm_core.intervene.rules import Rule, RuleInputs, highest
from sparsecbm_core.intervene.subnetwork import Subnetwork
from sparsecbm_core.models.parallel import side_by_side

PART = 1_000_000  # weights looked through at once


class FlipOrder:
    """The weights that a rule would drop and grow, best first, the first ``count`` of them flipped.

    At most ``limit``; as many are grown as dropped, so the sparsity is the same at every ``count``.
    ``promise`` (limit,) is by how much the first 1, 2, … of either lower the loss, to first order.
    """

    def __init__(
        self, subnetwork: Subnetwork, drop: torch.Tensor, grow: torch.Tensor, gradient: torch.Tensor
    ) -> None:
        self.subnetwork, self.drop, self.grow = subnetwork, drop, grow
        self.limit, self.count = min(drop.numel(), grow.numel()), 0
        falls = gradient[drop[: self.limit]] - gradient[grow[: self.limit]]
        self.promise = falls.cumsum(0).cpu()

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
        return cls(subnetwork, *highest_of_both(scores, kept, limit), gradient)

    def go_to(self, count: int) -> None:
        """Have the first ``count`` weights dropped and grown, no more and no fewer."""
        low, high = sorted((self.count, count))
        self.subnetwork.flip(torch.cat([self.drop[low:high], self.grow[low:high]]))
        self.count = count


def highest_of_both(
    scores: torch.Tensor, kept: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """`highest` among the kept and among the pruned weights, in one pass over the scores (L,).

    A sample tells a threshold that leaves enough of either; where it does not, they are looked for apart.
    """
    stride = max(1, scores.numel() // 65_536)
    sample, sample_kept, rank = scores[::stride], kept[::stride], int(count / stride * 1.5) + 16
    sides = [sample[side] for side in (sample_kept, ~sample_kept)]
    if all(side.numel() > rank for side in sides):
        threshold = torch.stack([side.topk(rank).values[-1] for side in sides]).min()

        def above(first: int, part: torch.Tensor) -> torch.Tensor:
            return torch.nonzero(part >= threshold).flatten().add_(first)

        parts = zip(range(0, scores.numel(), PART), scores.split(PART), strict=True)
        found = side_by_side(lambda part: above(*part), parts, scores.device)
        candidates = torch.cat(found)
        among = kept[candidates]
        drop, grow = candidates[among], candidates[~among]
        if min(drop.numel(), grow.numel()) >= count:
            return _best(scores, drop, count), _best(scores, grow, count)
    return highest(scores, kept, count), highest(scores, ~kept, count)


def _best(scores: torch.Tensor, candidates: torch.Tensor, count: int) -> torch.Tensor:
    """Best first, ties by position, as `highest` has them."""
    return candidates[scores[candidates].argsort(descending=True, stable=True)[:count]]

"""Which bits to flip and how many: a rule's order of the weights, and the fewest that reach the state."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sparsecbm_core.intervene.rules import Rule, RuleInputs
from sparsecbm_core.intervene.subnetwork import Subnetwork
from sparsecbm_core.models.parallel import side_by_side

MARGIN = 0.2  # by which the corrected state's logit is to lead the next one
CONFIDENCE = 0.6  # how likely it is to be by then: what a person calls certain
GUESSES = 6  # readings around the number that the gradient promises
FIRST = 4  # weights dropped, and grown, where that fails: then doubled
RESOLUTION = 16  # the search ends at a sixteenth of the number found
AUTO_LIMIT = 1e-3  # of the prunable weights: "auto" never drops more with one gradient
AUTO_GRADIENTS = 4
PART = 1_000_000  # weights looked through at once
SAMPLE = 65_536  # of them, to tell a threshold by

Gap = Callable[[Subnetwork], float]  # how far the target state leads; reached when not negative
Gradient = Callable[[Subnetwork], torch.Tensor]  # (L,)


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


def flip_fewest(
    subnetwork: Subnetwork,
    rule: Rule,
    gap: Gap,
    gradient: Gradient,
    profile: torch.Tensor | None,
    seed: int,
) -> int:
    """The fewest flips that close the gap, to a `RESOLUTION`th of their number, on one gradient.

    Where one gradient cannot, the flips that came closest stay and another is taken from there, up
    to `AUTO_GRADIENTS`; after that the state is not reached. Returns how many gradients were taken.
    """
    limit = max(1, int(AUTO_LIMIT * subnetwork.total))
    for step in range(1, AUTO_GRADIENTS + 1):
        order = FlipOrder.of(subnetwork, rule, limit, gradient(subnetwork), profile, seed + step - 1)
        if _close(order, gap):
            return step
    return AUTO_GRADIENTS


def _close(order: FlipOrder, gap: Gap) -> bool:
    """Fewest flips of this order that close the gap; otherwise those that came closest stay.

    Where the loss falls as promised, the number is all but known beforehand, and a few readings around it
    decide; where they do not find it, doubling does. Then bisection, if there is anything left between.
    """
    start = (0, gap(order.subnetwork))
    low, high = _as_promised(order, gap, start)
    if high is None:
        high = _doubled(order, gap, start)
        if high is None:
            return False
        low = high // 2 if high > FIRST else 0
    while high - low > _near(high):
        middle = (low + high) // 2
        order.go_to(middle)
        low, high = (low, middle) if gap(order.subnetwork) >= 0 else (middle, high)
    order.go_to(high)
    return True


def _near(count: int) -> int:
    """Flips that more or fewer make no difference."""
    return max(1, count // RESOLUTION)


def _as_promised(order: FlipOrder, gap: Gap, start: tuple[int, float]) -> tuple[int, int | None]:
    """The most flips known not to be enough and the fewest known to be, None where there are none.

    The gap closes nearly in proportion to the promised fall of the loss: at first by as much, because the
    cross-entropy of a wrong reading falls as the lead rises; after a reading by what that showed.
    """
    promise, (low, below), high, above = order.promise, start, None, 0.0
    if order.limit == 0 or not bool((promise.diff(prepend=promise.new_zeros(1)) > 0).all()):
        return low, None

    def promised(count: int) -> float:
        return float(promise[count - 1]) if count else 0.0

    for _ in range(GUESSES):
        far, beyond = start if high is None else (high, above)
        pace = 1.0 if far == low else (beyond - below) / (promised(far) - promised(low))
        target = torch.tensor(promised(low) - below / pace)
        count = int(torch.searchsorted(promise, target)) + 1
        count += _near(count) // 2  # in the middle of where one reading more proves that fewer are not enough
        if high is not None:
            count = min(count, high - _near(high))
        count = max(low + 1, min(count, order.limit))
        order.go_to(count)
        now = gap(order.subnetwork)
        if now >= 0:
            high, above = count, now
        elif now > below:
            low, below = count, now
        else:
            break  # not as promised
        if low == order.limit or (high is not None and high - low <= _near(high)):
            break
    return low, high


def _doubled(order: FlipOrder, gap: Gap, start: tuple[int, float]) -> int | None:
    """The first power of two times `FIRST`, or all, that close the gap; else the closest stays."""
    best, count = start[::-1], min(FIRST, order.limit)
    while True:
        order.go_to(count)
        now = gap(order.subnetwork)
        best = max(best, (now, count))
        if now >= 0:
            return count
        if count == order.limit:
            order.go_to(best[1])
            return None
        count = min(2 * count, order.limit)


def highest_of_both(
    scores: torch.Tensor, kept: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices (≤ count,) of the highest scores (L,) among the kept weights, and among the pruned ones.

    Best first, ties by position. A sample tells a threshold that leaves a few more than asked for of either,
    so that only those are sorted; where it does not, all are.
    """
    stride = max(1, scores.numel() // SAMPLE)
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
    drop, grow = (side.nonzero().flatten() for side in (kept, ~kept))
    return _best(scores, drop, count), _best(scores, grow, count)


def _best(scores: torch.Tensor, candidates: torch.Tensor, count: int) -> torch.Tensor:
    return candidates[scores[candidates].argsort(descending=True, stable=True)[:count]]

"""How many bits to flip: a given number, or the fewest that reach the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from sparsecbm_core.intervene.order import FlipOrder
from sparsecbm_core.intervene.rules import Rule
from sparsecbm_core.intervene.subnetwork import Subnetwork

GUESSES = 6  # readings around the number that the gradient promises
FIRST = 4  # weights dropped, and grown, where that fails: then doubled
RESOLUTION = 16  # the search ends at a sixteenth of the number found
AUTO_LIMIT = 1e-3  # of the prunable weights: "auto" never drops more with one gradient
AUTO_GRADIENTS = 4

Gap = Callable[[Subnetwork], float]  # how far the target state leads; reached when not negative
Gradient = Callable[[Subnetwork], torch.Tensor]  # (L,)


@dataclass(frozen=True)
class Found:
    """Weights dropped (and as many grown) over all gradients, whether that was enough, and the gradients."""

    flipped: int
    reached: bool
    gradients: int


def flip_fixed(
    subnetwork: Subnetwork,
    rule: Rule,
    count: int,
    gap: Gap,
    gradient: Gradient,
    profile: torch.Tensor | None,
    seed: int,
) -> Found:
    """Drop ``count`` weights and grow as many, by one gradient."""
    order = FlipOrder.of(subnetwork, rule, count, gradient(subnetwork), profile, seed)
    order.go_to(order.limit)
    return Found(order.count, gap(subnetwork) >= 0, 1)


def flip_fewest(
    subnetwork: Subnetwork,
    rule: Rule,
    gap: Gap,
    gradient: Gradient,
    profile: torch.Tensor | None,
    seed: int,
) -> Found:
    """The fewest flips that close the gap, to a `RESOLUTION`th of their number, on one gradient.

    Where one gradient cannot, the flips that came closest stay and another is taken from there, up
    to `AUTO_GRADIENTS`; after that the state is not reached.
    """
    limit, flipped = max(1, int(AUTO_LIMIT * subnetwork.total)), 0
    for step in range(1, AUTO_GRADIENTS + 1):
        order = FlipOrder.of(subnetwork, rule, limit, gradient(subnetwork), profile, seed + step - 1)
        if _close(order, gap):
            return Found(flipped + order.count, True, step)
        flipped += order.count
    return Found(flipped, False, AUTO_GRADIENTS)


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

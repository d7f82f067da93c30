"""How many bits to flip: a given number, or the fewest that reach the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from sparsecbm_core.intervene.order import FlipOrder
from sparsecbm_core.intervene.rules import Rule
from sparsecbm_core.intervene.subnetwork import Subnetwork

FIRST = 4  # weights dropped, and grown, at the first try
RESOLUTION = 16  # bisection ends at a sixteenth of the number found
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
    """The fewest flips that close the gap: doubling, then bisection, on one gradient.

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
    """Fewest flips of this order that close the gap; otherwise those that came closest stay."""
    best, low, high = (gap(order.subnetwork), 0), 0, min(FIRST, order.limit)
    while True:
        order.go_to(high)
        now = gap(order.subnetwork)
        best = max(best, (now, high))
        if now >= 0:
            break
        if high == order.limit:
            order.go_to(best[1])
            return False
        low, high = high, min(2 * high, order.limit)
    while high - low > max(1, high // RESOLUTION):
        middle = (low + high) // 2
        order.go_to(middle)
        low, high = (low, middle) if gap(order.subnetwork) >= 0 else (middle, high)
    order.go_to(high)
    return True

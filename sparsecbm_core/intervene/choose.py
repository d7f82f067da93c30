"""Which candidate bits to flip when many reviews have a say: a small integer problem, descended exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

SHRINKAGE = 0.2  # of the anchors' movements towards their diagonal: they are few, other reviews are many
FLOOR = 0.1  # of the mean cost: no flip is free
SLACK = 0.25  # logits by which a review may be lifted beyond what is asked for
ENOUGH = 0.02  # logits that may be missing: one reading decides in the end
STEPS, BLOCK = 800, 16
HARDER = 1.25  # how the wishes' weight grows when no flip pays any more


@dataclass(frozen=True)
class Wishes:
    """What n candidate flips would add to the leads of reviews, and what is wanted of the leads.

    ``wanted`` (R, n) and ``lifts`` (R,): the lead of review r must rise by its lift, or may fall by it where
    it is negative; an ``urgent`` (R,) one is to be lifted hardly further. ``anchors`` (S, n) are to move
    by ``pulls`` (S,), no more and no less, each as important as its ``weights`` (S,), which sum to 1.
    ``cost`` (n,) is what a flip does to reviews in general, as a square.
    """

    wanted: torch.Tensor
    lifts: torch.Tensor
    urgent: torch.Tensor
    anchors: torch.Tensor
    pulls: torch.Tensor
    weights: torch.Tensor
    cost: torch.Tensor


@dataclass(frozen=True)
class _State:
    """Flips chosen so far (n,) and what they add: (R,) and (S,)."""

    chosen: torch.Tensor
    lifted: torch.Tensor
    moved: torch.Tensor


def choose_flips(wishes: Wishes, kept: torch.Tensor, limit: int) -> torch.Tensor:
    """Candidates to flip (n,) bool, as many dropped as grown, about ``limit`` at most; ``kept`` (n,).

    Descends, with u = wanted·x and v = anchors·x over x ∈ {0, 1}ⁿ,

        β/2 Σ_r short_r² + (1−ρ)/2 Σ_s w_s (v_s − pull_s)² + Σ_j (ρ/2·cost_j + floor) x_j

    by blocks of pairs (one bit dropped, one grown), taken back where that pays, each block checked
    before it is taken. β begins where the best flip just pays and grows when nothing does, so that
    wishes are met at the least harm there is to others.
    """
    spread = (wishes.weights[:, None] * wishes.anchors.square()).sum(0)  # (n,)
    fixed = 0.5 * (SHRINKAGE * wishes.cost + FLOOR * wishes.cost.mean())
    curve = 0.5 * (1 - SHRINKAGE) * spread
    price, square = (fixed + curve).clamp(min=1e-30), wishes.wanted.square()
    state = _State(torch.zeros_like(kept), torch.zeros_like(wishes.lifts), torch.zeros_like(wishes.pulls))
    first = (_push(wishes, state.lifted) @ wishes.wanted / price).max()
    beta = 1.0 / float(first.clamp(min=1e-30))
    for _ in range(STEPS):
        if float((wishes.lifts - state.lifted).max()) <= ENOUGH or int(state.chosen.sum()) >= limit:
            break
        push = _push(wishes, state.lifted)
        use = beta * (push @ wishes.wanted)
        bend = beta * ((push != 0).to(square) @ square)  # both bits of a pair lift the same reviews
        steer = (1 - SHRINKAGE) * wishes.weights * (wishes.pulls - state.moved)
        use = use + steer @ wishes.anchors - fixed
        gain = torch.where(state.chosen, -use, use) - curve - bend
        taken = _block(wishes, state, gain, kept ^ state.chosen, beta, fixed)
        if taken is None:
            beta *= HARDER
        else:
            state = taken
    return state.chosen


def _push(wishes: Wishes, lifted: torch.Tensor) -> torch.Tensor:
    """How far each wish is from being met: positive where short, negative where overdone (R,)."""
    missing = wishes.lifts - lifted
    over = (-missing - SLACK).clamp(min=0) * wishes.urgent
    return missing.clamp(min=0) - over


def _block(
    wishes: Wishes,
    state: _State,
    gain: torch.Tensor,
    now: torch.Tensor,
    beta: float,
    fixed: torch.Tensor,
) -> _State | None:
    """The best pairs that improve the objective taken together; None if not even one does. ``now`` (n,)
    are the bits as they stand."""
    size = min(BLOCK, 2 + int(state.chosen.sum()) // 30, int(now.sum()), int((~now).sum()))
    if size < 1:
        return None
    drop = torch.where(now, gain, -torch.inf).topk(size)
    grow = torch.where(now, -torch.inf, gain).topk(size)
    pairs = int((drop.values + grow.values > 0).sum())
    while pairs >= 1:
        flips = torch.cat([drop.indices[:pairs], grow.indices[:pairs]])
        sign = torch.where(state.chosen[flips], -1.0, 1.0)
        after = replace(
            state,
            lifted=state.lifted + wishes.wanted[:, flips] @ sign,
            moved=state.moved + wishes.anchors[:, flips] @ sign,
        )
        change = _others(wishes, beta, after) - _others(wishes, beta, state) + (fixed[flips] * sign).sum()
        if float(change) < 0:
            chosen = state.chosen.clone()
            chosen[flips] = ~chosen[flips]
            return replace(after, chosen=chosen)
        pairs //= 2
    return None


def _others(wishes: Wishes, beta: float, state: _State) -> torch.Tensor:
    """The objective without the cost of the flips themselves."""
    apart = (wishes.weights * (state.moved - wishes.pulls).square()).sum()
    return 0.5 * (beta * _push(wishes, state.lifted).square().sum() + (1 - SHRINKAGE) * apart)

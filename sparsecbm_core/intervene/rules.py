"""Which bits to flip: the rules behind one interface.

With g = ∂L/∂M_k at the corrected state (L: cross-entropy of the concept), flipping bit j changes the
loss by about Δm_j·g_j, where Δm_j is −1 for a kept weight and +1 for a pruned one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.models.parallel import side_by_side

GUARD_FLOOR = 0.1  # of the mean profile: a weight that matters to no guard review is not free to flip
PIECE = 65_536  # weights


@dataclass(frozen=True)
class RuleInputs:
    """What a rule may look at: ``gradient`` g (L,), ``kept`` M_k (L,) bool, ``profile`` h (L,) or None."""

    gradient: torch.Tensor
    kept: torch.Tensor
    profile: torch.Tensor | None
    generator: torch.Generator


@dataclass(frozen=True)
class Rule:
    """``scores(inputs)`` → (L,), higher flipped first: among kept weights to drop, among pruned to grow."""

    name: str
    needs_profile: bool
    title: str
    scores: Callable[[RuleInputs], torch.Tensor]


def _paper(inputs: RuleInputs) -> torch.Tensor:
    """Drop the lowest |g|, grow the highest (paper, "Sparsity-based Inference-time intervention")."""
    size = inputs.gradient.abs()
    return torch.where(inputs.kept, -size, size)


def _signed(inputs: RuleInputs) -> torch.Tensor:
    """The fall of the loss that a flip promises, −Δm_j·g_j."""
    return torch.where(inputs.kept, inputs.gradient, -inputs.gradient)


def _guarded(inputs: RuleInputs) -> torch.Tensor:
    """The same per unit of what the weight does on guard reviews: −Δm_j·g_j / (h_j + 0.1·mean h)."""
    if inputs.profile is None:
        raise InputError("rule 'guarded' needs a guard profile; give one, or choose another rule")
    floor, scores = GUARD_FLOOR * inputs.profile.mean(), torch.empty_like(inputs.gradient)
    # Piece by piece: each stays in the processor's cache from the first step to the last.
    pieces = (part.split(PIECE) for part in (inputs.gradient, inputs.kept, inputs.profile, scores))

    def score(parts: tuple[torch.Tensor, ...]) -> None:
        g, kept, h, out = parts
        torch.div(g, (h + floor).clamp_(min=1e-30), out=out)
        out.mul_(kept.to(g.dtype).mul_(2).sub_(1))

    side_by_side(score, zip(*pieces, strict=True), scores.device)
    return scores


def _random(inputs: RuleInputs) -> torch.Tensor:
    """Any weight as good as any other: what flipping alone does."""
    return torch.rand(inputs.gradient.shape, generator=inputs.generator).to(inputs.gradient.device)


RULES = {
    rule.name: rule
    for rule in (
        Rule("guarded", True, "what helps here and matters little elsewhere", _guarded),
        Rule("signed", False, "what helps here most", _signed),
        Rule("paper", False, "the published rule: by size of the gradient", _paper),
        Rule("random", False, "any weights", _random),
    )
}


def rule_named(name: str) -> Rule:
    """Look a rule up; `InputError` names the ones there are."""
    if name not in RULES:
        raise InputError(one_of(name, RULES, "rule"))
    return RULES[name]


def highest(scores: torch.Tensor, allowed: torch.Tensor, count: int) -> torch.Tensor:
    """Indices (≤ count,) of the highest scores among ``allowed``, best first, ties by position.

    Exact, without sorting everything: a sample tells a threshold that leaves a few more than
    asked for, and only those are sorted.
    """
    count = min(count, int(allowed.sum()))
    if count <= 0:
        return torch.empty(0, dtype=torch.long, device=scores.device)
    masked = torch.where(allowed, scores, -torch.inf)
    stride = max(1, masked.numel() // 65_536)
    sample, rank = masked[::stride], int(count / stride * 1.5) + 16
    candidates = None
    if rank < sample.numel():
        candidates = torch.nonzero(allowed & (masked >= sample.topk(rank).values[-1])).flatten()
    if candidates is None or candidates.numel() < count:
        candidates = torch.nonzero(allowed).flatten()
    order = masked[candidates].argsort(descending=True, stable=True)
    return candidates[order[:count]]

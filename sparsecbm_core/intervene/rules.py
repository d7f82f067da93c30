"""The ways to correct, by name: what each is called, what it needs, and which bits it would flip.

With g = ∂L/∂M_k at the corrected state (L: cross-entropy of the concept), flipping bit j changes the
loss by about Δm_j·g_j, where Δm_j is −1 for a kept weight and +1 for a pruned one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.intervene.scope import EVERYWHERE

if TYPE_CHECKING:
    import torch

AUTO = "auto"  # in place of a share r: the smallest that works
GUARD_FLOOR = 0.1  # of the mean profile: a weight that matters to no guard review is not free to flip
PIECE = 65_536  # weights


@dataclass(frozen=True)
class RuleInputs:
    """What a rule may look at: ``gradient`` g (L,), ``kept`` M_k (L,) bool, ``profile`` h (L,) or None."""

    gradient: torch.Tensor
    kept: torch.Tensor
    profile: torch.Tensor | None
    generator: torch.Generator


Scores = Callable[[RuleInputs], "torch.Tensor"]


def _no_bits(inputs: RuleInputs) -> torch.Tensor:
    raise InputError("a comparator leaves the masks alone: it has no bits to choose")


@dataclass(frozen=True)
class Rule:
    """A way to correct: ``title`` in a table, ``description`` in a menu.

    ``scores(inputs)`` → (L,), higher flipped first: among kept weights to drop, among pruned to grow. A
    comparator has none: it leaves the masks alone (see `comparators`). ``r`` is the share of the weights
    that the rule is meant for. With ``shares_weights`` other concepts may change as well; what does not
    ``last`` is forgotten before the same review comes again.
    """

    name: str
    title: str
    description: str
    scores: Scores = _no_bits
    needs_profile: bool = False
    r: float | str = AUTO
    shares_weights: bool = False
    lasts: bool = True

    @property
    def flips_masks(self) -> bool:
        """Whether it is a rule for mask bits; a comparator is not."""
        return self.scores is not _no_bits

    def can_protect(self, r: float | str | None = AUTO, scope: str = EVERYWHERE) -> bool:
        """Whether it can spare single readings (`protect.Protected`) with this r (None is "auto") and scope.

        Bits are then weighed by what they do to others, as few as work; where only similar reviews are read
        with them there is nothing to spare.
        """
        return self.needs_profile and r in (AUTO, None) and scope == EVERYWHERE


def _paper(inputs: RuleInputs) -> torch.Tensor:
    """Drop the lowest |g|, grow the highest (paper, "Sparsity-based Inference-time intervention")."""
    size = inputs.gradient.abs()
    return (-size).where(inputs.kept, size)


def _signed(inputs: RuleInputs) -> torch.Tensor:
    """The fall of the loss that a flip promises, −Δm_j·g_j."""
    return inputs.gradient.where(inputs.kept, -inputs.gradient)


def _guarded(inputs: RuleInputs) -> torch.Tensor:
    """The same per unit of what the weight does on guard reviews: −Δm_j·g_j / (h_j + 0.1·mean h)."""
    import torch

    from sparsecbm_core.models.parallel import side_by_side

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
    import torch

    return torch.rand(inputs.gradient.shape, generator=inputs.generator).to(inputs.gradient.device)


def _by_name(*rules: Rule) -> dict[str, Rule]:
    return {rule.name: rule for rule in rules}


RULES = _by_name(
    Rule(
        "guarded",
        "Guarded",
        "Guarded: what helps here and matters little elsewhere",
        _guarded,
        needs_profile=True,
    ),
    Rule("signed", "Signed", "Signed: what helps here most, whatever else it does", _signed),
    Rule("paper", "As published", "As published: by the size of the gradient", _paper, r=0.01),
    Rule("random", "Random bits", "Random bits, for comparison", _random),
)
COMPARATORS = _by_name(
    Rule(
        "oracle",
        "Override, the model unchanged",
        "The concept is set by hand for this once; the model stays as it is",
        lasts=False,
    ),
    Rule(
        "finetune", "Fine-tuning", "The weights of the subnetwork, trained on the review", shares_weights=True
    ),
    Rule("head", "Label weights only", "The concept's rows of the head alone, trained on the review"),
)
ALL_RULES = {**RULES, **COMPARATORS}


def rule_named(name: str, among: Mapping[str, Rule] = RULES) -> Rule:
    """Look a rule up, comparators among `ALL_RULES`; `InputError` names the ones there are."""
    if name not in among:
        raise InputError(one_of(name, among, "rule"))
    return among[name]

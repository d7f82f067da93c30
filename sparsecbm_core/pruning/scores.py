"""How much a weight matters to a concept: the criteria behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from sparsecbm_core.config import PruneSettings
from sparsecbm_core.errors import SettingsError, one_of

ScoreFunction = Callable[[torch.Tensor, "torch.Tensor | None", torch.Generator], torch.Tensor]


@dataclass(frozen=True)
class Criterion:
    """``score(theta (L,), diag(F̂⁻¹) (L,) or None, generator)`` → (L,) float, larger kept.

    ``block_size`` says in blocks of how many weights the Fisher matrix is taken.
    """

    name: str
    score: ScoreFunction
    needs_gradients: bool = False
    block_size: Callable[[PruneSettings], int] = lambda settings: settings.block_size


def _obs(theta: torch.Tensor, diagonal: torch.Tensor | None, _: torch.Generator) -> torch.Tensor:
    """ρ_j = θ_j² / (2 [F̂⁻¹]_jj): loss change when weight j alone is removed (Eq. 9)."""
    if diagonal is None:
        raise SettingsError("this criterion needs gradients")
    return theta.double().square() / (2.0 * diagonal)


def _magnitude(theta: torch.Tensor, _: torch.Tensor | None, __: torch.Generator) -> torch.Tensor:
    return theta.abs()


def _random(theta: torch.Tensor, _: torch.Tensor | None, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(theta.shape, generator=generator)


_CRITERIA = {
    criterion.name: criterion
    for criterion in (
        Criterion("second_order", _obs, needs_gradients=True),
        # blocks of one weight: ½ θ_j² (ζ + mean g_j²)
        Criterion("diagonal_fisher", _obs, needs_gradients=True, block_size=lambda settings: 1),
        Criterion("magnitude", _magnitude),
        Criterion("random", _random),
    )
}


def criterion(name: str) -> Criterion:
    """Look a criterion up by name."""
    try:
        return _CRITERIA[name]
    except KeyError:
        raise SettingsError(one_of(name, _CRITERIA, "criterion")) from None

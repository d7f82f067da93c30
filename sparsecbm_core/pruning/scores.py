"""How much a weight matters to a concept: the criteria behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from sparsecbm_core.config import PruneSettings
from sparsecbm_core.errors import SettingsError, one_of
from sparsecbm_core.pruning.fisher import inverse_fisher_diagonal

ScoreFunction = Callable[[torch.Tensor, "torch.Tensor | None", PruneSettings, torch.Generator], torch.Tensor]


@dataclass(frozen=True)
class Criterion:
    """``score(theta (L,), gradients (m, L) or None, settings, generator)`` → (L,) float, larger kept."""

    name: str
    needs_gradients: bool
    score: ScoreFunction


def _second_order(
    theta: torch.Tensor, gradients: torch.Tensor | None, settings: PruneSettings, _: torch.Generator
) -> torch.Tensor:
    """ρ_j = θ_j² / (2 [F̂⁻¹]_jj): loss change when weight j alone is removed (Eq. 9)."""
    diagonal = inverse_fisher_diagonal(_required(gradients), settings.block_size, settings.damp)
    return theta.double().square() / (2.0 * diagonal)


def _diagonal_fisher(
    theta: torch.Tensor, gradients: torch.Tensor | None, settings: PruneSettings, _: torch.Generator
) -> torch.Tensor:
    """The same with blocks of one weight: ½ θ_j² (ζ + mean g_j²)."""
    diagonal = inverse_fisher_diagonal(_required(gradients), 1, settings.damp)
    return theta.double().square() / (2.0 * diagonal)


def _magnitude(
    theta: torch.Tensor, gradients: torch.Tensor | None, settings: PruneSettings, _: torch.Generator
) -> torch.Tensor:
    return theta.abs()


def _random(
    theta: torch.Tensor, gradients: torch.Tensor | None, settings: PruneSettings, generator: torch.Generator
) -> torch.Tensor:
    return torch.rand(theta.shape, generator=generator)


def _required(gradients: torch.Tensor | None) -> torch.Tensor:
    if gradients is None:
        raise SettingsError("this criterion needs gradients")
    return gradients


_CRITERIA = {
    criterion.name: criterion
    for criterion in (
        Criterion("second_order", True, _second_order),
        Criterion("diagonal_fisher", True, _diagonal_fisher),
        Criterion("magnitude", False, _magnitude),
        Criterion("random", False, _random),
    )
}


def criterion(name: str) -> Criterion:
    """Look a criterion up by name."""
    try:
        return _CRITERIA[name]
    except KeyError:
        raise SettingsError(one_of(name, _CRITERIA, "criterion")) from None

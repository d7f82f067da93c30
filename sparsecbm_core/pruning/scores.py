"""How much a weight matters to a concept: the criteria behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from sparsecbm_core.config import PruneSettings
from sparsecbm_core.errors import SettingsError, one_of


@dataclass(frozen=True)
class Evidence:
    """What a criterion asked to know of one concept's subnetwork at one matrix (O, I).

    ``inverse_fisher`` is diag(F̂⁻¹), (O·I,); ``input_norms`` is ‖X_j‖₂ of every input feature over the
    tokens read, (I,).
    """

    inverse_fisher: torch.Tensor | None = None
    input_norms: torch.Tensor | None = None


ScoreFunction = Callable[[torch.Tensor, Evidence, torch.Generator], torch.Tensor]


@dataclass(frozen=True)
class Criterion:
    """``score(theta (O, I), evidence, generator)`` → O·I floats in the same order, larger kept.

    ``needs_gradients`` and ``needs_inputs`` say what `Evidence` has to hold; ``block_size`` in blocks of
    how many weights the Fisher matrix is taken; ``whole_rows`` that output neurons are kept or pruned
    as wholes, by the sum of their weights' scores (see `select_rows`).
    """

    name: str
    score: ScoreFunction
    needs_gradients: bool = False
    needs_inputs: bool = False
    whole_rows: bool = False
    block_size: Callable[[PruneSettings], int] = lambda settings: settings.block_size


def _obs(theta: torch.Tensor, evidence: Evidence, _: torch.Generator) -> torch.Tensor:
    """ρ_j = θ_j² / (2 [F̂⁻¹]_jj): loss change when weight j alone is removed (Eq. 9)."""
    if evidence.inverse_fisher is None:
        raise SettingsError("this criterion needs gradients")
    return theta.reshape(-1).double().square() / (2.0 * evidence.inverse_fisher)


def _wanda(theta: torch.Tensor, evidence: Evidence, _: torch.Generator) -> torch.Tensor:
    """|W_ij| · ‖X_j‖₂ (Sun et al. 2023, Eq. 1).

    There the weights of one output row compete with each other alone, so that every row loses the same
    share. Here they compete as those of the other criteria do, by the settings' scope, so that criteria
    differ in their scores and in nothing else.
    """
    if evidence.input_norms is None:
        raise SettingsError("this criterion needs the inputs of every layer")
    return theta.abs() * evidence.input_norms


def _magnitude(theta: torch.Tensor, _: Evidence, __: torch.Generator) -> torch.Tensor:
    return theta.abs()


def _random(theta: torch.Tensor, _: Evidence, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(theta.shape, generator=generator)


_CRITERIA = {
    criterion.name: criterion
    for criterion in (
        Criterion("second_order", _obs, needs_gradients=True),
        # blocks of one weight: ½ θ_j² (ζ + mean g_j²)
        Criterion("diagonal_fisher", _obs, needs_gradients=True, block_size=lambda settings: 1),
        Criterion("wanda", _wanda, needs_inputs=True),
        Criterion("magnitude", _magnitude),
        Criterion("random", _random),
        Criterion("structured", _obs, needs_gradients=True, whole_rows=True),
    )
}


def criterion(name: str) -> Criterion:
    """Look a criterion up by name."""
    try:
        return _CRITERIA[name]
    except KeyError:
        raise SettingsError(one_of(name, _CRITERIA, "criterion")) from None

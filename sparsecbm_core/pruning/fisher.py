"""Diagonal of the inverse of the dampened blockwise empirical Fisher matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from sparsecbm_core.errors import SettingsError

CHUNK_BLOCKS = 8192


def inverse_fisher_diagonal(gradients: torch.Tensor, block_size: int, damp: float) -> torch.Tensor:
    """diag(F̂⁻¹) with F̂ = ζI + (1/m) Σ_i g_i g_iᵀ cut into blocks of B neighbouring weights.

    ``gradients`` (m, L), any float type; returns (L,) float64. The paper's Appendix C and
    Kurtic et al. 2022 (oBERT). With m ≥ B each block is factored as B × B, with m < B through
    Woodbury's identity as m × m: diag_j = (1 − ‖A^{-1/2} g_j‖²) / ζ, A = mζI + GGᵀ. Either way
    the work is batched over blocks and done in double precision, since ζ is tiny.
    """
    m, length = gradients.shape
    solve = _diagonal_by_block if m >= block_size else _diagonal_by_woodbury
    parts = [_factored(solve, g, damp) for _, g in _chunks(gradients, block_size)]
    return torch.cat(parts)[:length]


class FisherSums:
    """The same from Σ_i g_i g_iᵀ, added up as gradients come: B values a weight, however many gradients."""

    def __init__(self, length: int, block_size: int, device: torch.device | None = None) -> None:
        blocks = -(-length // block_size)
        self._sums = torch.zeros(blocks, block_size, block_size, dtype=torch.float64, device=device)
        self._length, self._block_size, self._count = length, block_size, 0

    def add(self, gradients: torch.Tensor) -> None:
        """Some more gradients (n, L), any float type."""
        for blocks, g in _chunks(gradients, self._block_size):
            self._sums[blocks].baddbmm_(g.mT, g)
        self._count += len(gradients)

    def inverse_diagonal(self, damp: float) -> torch.Tensor:
        """diag(F̂⁻¹), (L,) float64."""
        parts = [
            _factored(_diagonal_of_inverse, sums / self._count, damp)
            for sums in self._sums.split(CHUNK_BLOCKS)
        ]
        return torch.cat(parts)[: self._length]


def _chunks(gradients: torch.Tensor, block_size: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """Blocks from … to, and their gradients (blocks, m, B) in double precision."""
    m, length = gradients.shape
    size = CHUNK_BLOCKS * block_size
    for start in range(0, length, size):
        chunk = gradients[:, start : start + size].to(torch.float64)
        # A zero gradient leaves the padded weights on their own.
        chunk = torch.nn.functional.pad(chunk, (0, -chunk.shape[1] % block_size))
        g = chunk.reshape(m, -1, block_size).transpose(0, 1)  # (blocks, m, B)
        first = start // block_size
        yield slice(first, first + len(g)), g


def _factored(
    solve: Callable[[torch.Tensor, float], torch.Tensor], values: torch.Tensor, damp: float
) -> torch.Tensor:
    try:
        return solve(values, damp).reshape(-1)
    except torch.linalg.LinAlgError as error:
        raise SettingsError(
            f"damp {damp:g} is too small for these gradients, or they are not finite: "
            "the Fisher matrix cannot be factored"
        ) from error


def _diagonal_by_block(g: torch.Tensor, damp: float) -> torch.Tensor:
    return _diagonal_of_inverse(torch.bmm(g.mT, g) / g.shape[1], damp)


def _diagonal_of_inverse(fisher: torch.Tensor, damp: float) -> torch.Tensor:
    """Of (blocks, B, B) without ζI, which is added in place."""
    fisher.diagonal(dim1=1, dim2=2).add_(damp)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(fisher))  # (blocks, B, B)
    return inverse.diagonal(dim1=1, dim2=2)


def _diagonal_by_woodbury(g: torch.Tensor, damp: float) -> torch.Tensor:
    gram = torch.bmm(g, g.mT)  # (blocks, m, m)
    gram.diagonal(dim1=1, dim2=2).add_(g.shape[1] * damp)
    solved = torch.linalg.solve_triangular(torch.linalg.cholesky(gram), g, upper=False)  # (blocks, m, B)
    diagonal = (1.0 - solved.square().sum(dim=1)) / damp
    # What is left of 1 may vanish in rounding where a gradient is huge; 1 / F̂_jj is always a lower bound.
    return torch.maximum(diagonal, 1.0 / (damp + g.square().mean(dim=1)))

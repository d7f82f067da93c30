"""Diagonal of the inverse of the dampened blockwise empirical Fisher matrix."""

from __future__ import annotations

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
    blocks = -(-length // block_size)
    result = torch.empty(blocks * block_size, dtype=torch.float64, device=gradients.device)
    for start in range(0, blocks, CHUNK_BLOCKS):
        first, last = start * block_size, min((start + CHUNK_BLOCKS) * block_size, blocks * block_size)
        chunk = gradients[:, first : min(last, length)].to(torch.float64)
        if chunk.shape[1] < last - first:  # a zero gradient leaves the padded weights on their own
            chunk = torch.nn.functional.pad(chunk, (0, last - first - chunk.shape[1]))
        g = chunk.reshape(m, -1, block_size).transpose(0, 1)  # (blocks, m, B)
        solve = _diagonal_by_block if m >= block_size else _diagonal_by_woodbury
        try:
            result[first:last] = solve(g, damp).reshape(-1)
        except torch.linalg.LinAlgError as error:
            raise SettingsError(
                f"damp {damp:g} is too small for these gradients, or they are not finite: "
                "the Fisher matrix cannot be factored"
            ) from error
    return result[:length]


def _diagonal_by_block(g: torch.Tensor, damp: float) -> torch.Tensor:
    n, m, b = g.shape
    fisher = torch.baddbmm(damp * torch.eye(b, dtype=g.dtype).expand(n, b, b), g.mT, g, alpha=1.0 / m)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(fisher))  # (blocks, B, B)
    return inverse.diagonal(dim1=1, dim2=2)


def _diagonal_by_woodbury(g: torch.Tensor, damp: float) -> torch.Tensor:
    n, m, _ = g.shape
    gram = torch.baddbmm(m * damp * torch.eye(m, dtype=g.dtype).expand(n, m, m), g, g.mT)
    solved = torch.linalg.solve_triangular(torch.linalg.cholesky(gram), g, upper=False)  # (blocks, m, B)
    diagonal = (1.0 - solved.square().sum(dim=1)) / damp
    # What is left of 1 may vanish in rounding where a gradient is huge; 1 / F̂_jj is always a lower bound.
    return torch.maximum(diagonal, 1.0 / (damp + g.square().mean(dim=1)))

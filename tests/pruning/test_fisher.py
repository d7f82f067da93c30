"""The diagonal of the inverse Fisher matrix against a dense inverse and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.pruning import fisher
from sparsecbm_core.pruning.fisher import FisherSums, inverse_fisher_diagonal


def dense(gradients: np.ndarray, block_size: int, damp: float) -> np.ndarray:
    """F̂ = ζI + (1/m) Σ g gᵀ block by block, inverted as it stands."""
    m, length = gradients.shape
    parts = []
    for start in range(0, length, block_size):
        g = gradients[:, start : start + block_size].astype(np.float64)
        parts.append(np.diag(np.linalg.inv(damp * np.eye(g.shape[1]) + g.T @ g / m)))
    return np.concatenate(parts)


def summed(gradients: torch.Tensor, block_size: int, damp: float) -> torch.Tensor:
    """The same, the gradients added up in two portions."""
    sums = FisherSums(gradients.shape[1], block_size)
    for portion in gradients.split(-(-len(gradients) // 2)):
        sums.add(portion)
    return sums.inverse_diagonal(damp)


@given(
    m=st.integers(1, 12),
    length=st.integers(1, 30),
    block_size=st.integers(1, 12),
    damp=st.sampled_from([1e-7, 1e-4, 1.0]),
    scale=st.sampled_from([1e-4, 1e-2, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_agrees_with_a_dense_inverse(m, length, block_size, damp, scale, seed):
    """m < B, m = B, m > B, and a last block that is not full."""
    gradients = scale * np.random.default_rng(seed).standard_normal((m, length))
    expected = dense(gradients, block_size, damp)
    actual = inverse_fisher_diagonal(torch.from_numpy(gradients), block_size, damp)
    assert actual.dtype == torch.float64
    assert actual.shape == (length,)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-5)
    added_up = summed(torch.from_numpy(gradients), block_size, damp)
    assert added_up.dtype == torch.float64
    assert added_up.shape == (length,)
    if m >= block_size:  # fewer make sums that cannot be told from singular ones where ζ is tiny
        np.testing.assert_allclose(added_up.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(("m", "block_size"), [(5, 8), (8, 8), (20, 8), (3, 50)])
def test_gradients_kept_in_bfloat16(m, block_size):
    gradients = torch.randn(m, 40, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    expected = dense(gradients.float().numpy(), block_size, 1e-7)
    np.testing.assert_allclose(inverse_fisher_diagonal(gradients, block_size, 1e-7), expected, rtol=1e-5)
    if m >= block_size:
        np.testing.assert_allclose(summed(gradients, block_size, 1e-7), expected, rtol=1e-5)


@pytest.mark.parametrize(("m", "block_size"), [(3, 4), (6, 4)])
def test_chunks_of_blocks_change_nothing(monkeypatch, m, block_size):
    gradients = torch.randn(m, 41, generator=torch.Generator().manual_seed(0))
    whole = inverse_fisher_diagonal(gradients, block_size, 1e-3)
    monkeypatch.setattr(fisher, "CHUNK_BLOCKS", 3)
    torch.testing.assert_close(inverse_fisher_diagonal(gradients, block_size, 1e-3), whole)
    torch.testing.assert_close(summed(gradients, block_size, 1e-3), whole)


def test_blocks_of_one_weight():
    """1 / (ζ + mean g²)."""
    gradients = torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]])
    expected = torch.tensor([1 / 5.5, 1 / 2.5, 1 / 0.5], dtype=torch.float64)
    torch.testing.assert_close(inverse_fisher_diagonal(gradients, 1, 0.5), expected)


def test_one_gradient():
    """Sherman and Morrison: (1 − g_j² / (ζ + ‖g‖²)) / ζ."""
    gradients = torch.tensor([[1.0, 2.0, 2.0]])
    expected = torch.tensor([(1 - g / 9.5) / 0.5 for g in (1, 4, 4)], dtype=torch.float64)
    torch.testing.assert_close(inverse_fisher_diagonal(gradients, 3, 0.5), expected)


def test_a_block_of_two_by_hand():
    """F̂ = [[1 + ½, 1], [1, 1 + ½]]: the inverse has 1.5 / 1.25 on its diagonal."""
    gradients = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    expected = torch.full((2,), 1.2, dtype=torch.float64)
    torch.testing.assert_close(inverse_fisher_diagonal(gradients, 2, 0.5), expected)


@pytest.mark.parametrize("m", [2, 20])
def test_weights_without_gradient_have_the_prior(m):
    diagonal = inverse_fisher_diagonal(torch.zeros(m, 10), 4, 0.25)
    torch.testing.assert_close(diagonal, torch.full((10,), 4.0, dtype=torch.float64))


@given(
    exponents=st.lists(st.integers(-6, 3), min_size=4, max_size=4),
    m=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_never_below_what_the_weight_alone_gives(exponents, m, seed):
    """[F̂⁻¹]_jj ≥ 1 / F̂_jj in exact arithmetic, so never zero or negative, however steep the loss."""
    rng = np.random.default_rng(seed)
    gradients = rng.standard_normal((m, 4)) * 10.0 ** np.array(exponents)
    diagonal = inverse_fisher_diagonal(torch.from_numpy(gradients), 4, 1e-7).numpy()
    bound = 1 / (1e-7 + (gradients**2).mean(0))
    assert (diagonal >= bound * (1 - 1e-6)).all()
    assert (diagonal <= 1e7 * (1 + 1e-6)).all()


@pytest.mark.parametrize(
    "gradients", [torch.full((4, 4), 1e8), torch.full((4, 4), torch.nan), torch.full((2, 4), torch.inf)]
)
def test_a_matrix_that_cannot_be_factored_names_the_setting(gradients):
    with pytest.raises(SettingsError, match="damp 1e-20 is too small"):
        inverse_fisher_diagonal(gradients, 4, 1e-20)
    with pytest.raises(SettingsError, match="damp 1e-20 is too small"):
        summed(gradients, 4, 1e-20)

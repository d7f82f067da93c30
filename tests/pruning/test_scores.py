"""Each criterion's score, worked out by hand."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.config import CRITERIA, PruneSettings
from sparsecbm_core.errors import SettingsError
from sparsecbm_core.pruning.fisher import inverse_fisher_diagonal
from sparsecbm_core.pruning.scores import Evidence, criterion

THETA = torch.tensor([[1.0, -2.0], [0.0, 3.0]])


def score(name, gradients=None, seed=0, norms=None, **settings):
    generator = torch.Generator().manual_seed(seed)
    chosen, values = criterion(name), PruneSettings(**settings)
    diagonal = None
    if gradients is not None:
        diagonal = inverse_fisher_diagonal(gradients, chosen.block_size(values), values.damp)
    return chosen.score(THETA, Evidence(diagonal, norms), generator).reshape(-1)


def test_second_order_by_hand():
    """ρ_j = θ_j² / (2 [F̂⁻¹]_jj), F̂ of two blocks: [[1.5, 1], [1, 1.5]] and diag(0.5, 2.5)."""
    gradients = torch.tensor([[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 0.0, 0.0]])
    actual = score("second_order", gradients, block_size=2, damp=0.5)
    expected = [1 / 2.4, 4 / 2.4, 0.0, 9 / 2 * 2.5]
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64))


def test_diagonal_fisher_by_hand():
    """½ θ_j² (ζ + mean g_j²), whatever the block size."""
    gradients = torch.tensor([[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 0.0, 0.0]])
    actual = score("diagonal_fisher", gradients, block_size=2, damp=0.5)
    expected = [0.5 * 1.5, 0.5 * 4 * 1.5, 0.0, 0.5 * 9 * 2.5]
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64))


def test_correlated_weights_can_stand_in_for_each_other():
    """Two weights whose gradients always agree are worth less than the diagonal alone says."""
    gradients = torch.tensor([[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, -1.0, 0.0]])
    second = score("second_order", gradients, block_size=4, damp=1e-3)
    diagonal = score("diagonal_fisher", gradients, damp=1e-3)
    assert second[0] < 0.01 * diagonal[0]
    torch.testing.assert_close(second[3], diagonal[3])


def test_wanda_by_hand():
    """|W_ij| · ‖X_j‖₂: a column's weights are all weighed with its own input."""
    actual = score("wanda", norms=torch.tensor([10.0, 0.5]))
    assert actual.tolist() == [1 * 10, 2 * 0.5, 0 * 10, 3 * 0.5]


def test_structured_scores_weights_as_second_order_does():
    """What it does with their sums, see test_rows.py."""
    gradients = torch.tensor([[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 0.0, 0.0]])
    settings = {"block_size": 2, "damp": 0.5}
    assert torch.equal(
        score("structured", gradients, **settings), score("second_order", gradients, **settings)
    )
    assert [name for name in CRITERIA if criterion(name).whole_rows] == ["structured"]


def test_magnitude():
    assert score("magnitude").tolist() == [1.0, 2.0, 0.0, 3.0]


def test_random_follows_the_seed_and_not_the_weights():
    assert torch.equal(score("random", seed=1), score("random", seed=1))
    assert not torch.equal(score("random", seed=1), score("random", seed=2))
    assert len(set(score("random").tolist())) == 4


@pytest.mark.parametrize("name", ["second_order", "diagonal_fisher", "structured"])
def test_no_score_without_the_gradients_it_needs(name):
    assert criterion(name).needs_gradients
    with pytest.raises(SettingsError, match="needs gradients"):
        score(name)


def test_no_score_without_the_inputs_it_needs():
    assert [name for name in CRITERIA if criterion(name).needs_inputs] == ["wanda"]
    with pytest.raises(SettingsError, match="needs the inputs of every layer"):
        score("wanda")


def test_every_criterion_of_the_settings_is_there():
    for name in CRITERIA:
        assert criterion(name).name == name
    assert not criterion("magnitude").needs_gradients
    assert not criterion("random").needs_gradients
    with pytest.raises(SettingsError, match="unknown criterion 'best'; choose one of: second_order, "):
        criterion("best")

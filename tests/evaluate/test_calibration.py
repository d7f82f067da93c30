"""Reliability tables and temperatures against cases worked out by hand and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.evaluate.calibration import fit_temperature, reliability


def logits_of(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_a_table_by_hand():
    """Two predictions at 0.9, one of them right, and a right one at 0.6, in bins of a fifth."""
    table = reliability(logits_of((0.9, 0.1), (0.9, 0.1), (0.4, 0.6)), np.array([0, 1, 1]), bins=5)
    assert table.edges == pytest.approx((0, 0.2, 0.4, 0.6, 0.8, 1))
    assert table.count == (0, 0, 0, 1, 2)
    assert table.confidence == (None, None, None, pytest.approx(0.6), pytest.approx(0.9))
    assert table.accuracy == (None, None, None, 1.0, 0.5)
    assert table.ece == pytest.approx(0.4)


def ece(logits, gold, bins=15):
    return reliability(logits, gold, bins).ece


def test_calibration_error_by_hand():
    """Two predictions at 0.9, one of them right, and a right one at 0.6: ⅔·0.4 + ⅓·0.4."""
    logits = logits_of((0.9, 0.1), (0.9, 0.1), (0.4, 0.6))
    assert ece(logits, np.array([0, 1, 1])) == pytest.approx(0.4)


def test_calibration_error_averages_inside_a_bin():
    """Within one bin over- and underconfidence cancel: 0.72 and 0.68 with 7 of 10 right."""
    logits = logits_of(*[(0.72, 0.28)] * 5, *[(0.68, 0.32)] * 5)
    gold = np.array([0, 1, 0, 0, 1, 0, 0, 0, 1, 0])
    assert ece(logits, gold, bins=2) == pytest.approx(0, abs=1e-12)
    assert ece(logits, gold, bins=100) > 0.1


def test_calibration_at_certainty():
    sure = torch.tensor([[1000.0, 0.0], [1000.0, 0.0]])
    assert ece(sure, np.array([0, 0])) == 0
    assert ece(sure, np.array([1, 1])) == 1
    assert ece(sure, np.array([0, 1])) == pytest.approx(0.5)


@given(
    arrays(np.float64, (7, 3), elements=st.floats(-20, 20)), arrays(np.int64, 7, elements=st.integers(0, 2))
)
def test_calibration_error_is_a_fraction_and_one_bin_compares_the_means(logits, gold):
    tensor = torch.from_numpy(logits)
    assert 0 <= ece(tensor, gold) <= 1
    confidence, predicted = tensor.softmax(-1).max(-1)
    expected = abs(confidence.mean().item() - (predicted.numpy() == gold).mean())
    assert ece(tensor, gold, bins=1) == pytest.approx(expected)


def test_a_table_is_scikit_learns():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(400, 4)) * 2)
    gold = rng.integers(0, 4, 400)
    table = reliability(logits, gold, 10)
    confidence, predicted = logits.softmax(-1).max(-1)
    accuracy, mean = calibration_curve(predicted.numpy() == gold, confidence.numpy(), n_bins=10)
    assert [value for value in table.accuracy if value is not None] == pytest.approx(accuracy.tolist())
    assert [value for value in table.confidence if value is not None] == pytest.approx(mean.tolist())


def test_a_temperature_by_hand():
    """Always 10 : 1, right in 3 of 4 cases: 10^(1/T) has to be 3."""
    logits = torch.tensor([[10.0, 1.0]] * 4).log()
    temperature = fit_temperature(logits, np.array([0, 0, 0, 1]))
    assert temperature == pytest.approx(np.log(10) / np.log(3))
    scaled = reliability(logits / temperature, np.array([0, 0, 0, 1]))
    assert scaled.ece == pytest.approx(0, abs=1e-6)


def test_a_temperature_has_the_least_loss():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(300, 5)) * 4)
    gold = np.array([rng.choice(5, p=row) for row in (logits / 2.5).softmax(-1).numpy()])
    best = fit_temperature(logits, gold)
    assert best == pytest.approx(2.5, rel=0.25)

    def loss(temperature):
        return torch.nn.functional.cross_entropy(logits / temperature, torch.from_numpy(gold)).item()

    assert all(loss(best) <= loss(best * factor) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2))


def test_temperatures_at_the_ends():
    sure = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert fit_temperature(sure, np.array([0, 1])) == pytest.approx(1e-3)
    assert fit_temperature(sure, np.array([1, 0])) == pytest.approx(1e3)


def test_bad_input_is_refused():
    with pytest.raises(SettingsError, match="bins must be"):
        reliability(torch.zeros(1, 2), np.array([0]), 0)
    with pytest.raises(InputError, match="one row each"):
        fit_temperature(torch.zeros(2, 2), np.array([0]))

"""The guard profile: what it measures, and what its short form keeps."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.profile import (
    GuardProfile,
    compute_profile,
    own_prediction_loss,
)
from sparsecbm_core.intervene.subnetwork import Subnetwork
from tests.tiny import REVIEW, make_tiny

TEXTS = [REVIEW, "good food", "the service was slow", "loud music", "we had dessert", "cold soup"]


def test_the_loss_is_the_joint_loss_at_what_the_model_says(tiny_model):
    said = tiny_model.predict(TEXTS)
    loss = own_prediction_loss(tiny_model, said, 1, [0, 2])
    states = torch.nn.functional.cross_entropy(
        said.concept_logits[[0, 2], 1], said.states[[0, 2], 1], reduction="sum"
    )
    labels = torch.nn.functional.cross_entropy(
        said.label_logits[[0, 2]], said.labels[[0, 2]], reduction="sum"
    )
    assert float(loss(said.concept_logits[[0, 2], 1])) == pytest.approx(float(states + labels), rel=1e-5)


def test_rows_and_columns_are_means_of_the_squared_gradient(tiny_model):
    profile, said = compute_profile(tiny_model, TEXTS), tiny_model.predict(TEXTS)
    subnetwork = Subnetwork(tiny_model, "noise")
    squares = {name: torch.zeros(shape) for name, shape in subnetwork.shapes.items()}
    for indices in ([0, 1, 2, 3], [4, 5]):
        batch = subnetwork.batch([TEXTS[i] for i in indices])
        by_weight, _ = subnetwork.weight_gradient(batch, own_prediction_loss(tiny_model, said, 2, indices))
        for name, gradient in by_weight.items():
            squares[name] += gradient.square() / 2
    for name, square in squares.items():
        torch.testing.assert_close(profile.rows["noise"][name], square.mean(1))
        torch.testing.assert_close(profile.columns["noise"][name], square.mean(0))


def test_a_matrix_of_rank_one_is_kept_exactly(tiny_model):
    subnetwork = Subnetwork(tiny_model, "food")
    generator = torch.Generator().manual_seed(0)
    rows, columns, expected = {}, {}, []
    for name, (outputs, inputs) in subnetwork.shapes.items():
        a, b = torch.rand(outputs, generator=generator), torch.rand(inputs, generator=generator)
        square = torch.outer(a, b)
        rows[name], columns[name] = square.mean(1), square.mean(0)
        expected.append(square.sqrt().flatten())
    profile = GuardProfile("m", "d", 1, {"food": rows}, {"food": columns})
    torch.testing.assert_close(profile.scale(subnetwork), torch.cat(expected) * subnetwork.theta.abs())


def test_a_weight_that_is_zero_matters_to_nothing(tiny_model):
    subnetwork = Subnetwork(tiny_model, "food")
    subnetwork.theta = subnetwork.theta.clone()  # the dense weights are shared
    subnetwork.theta[7] = 0.0
    assert compute_profile(tiny_model, TEXTS).scale(subnetwork)[7] == 0.0


def test_bad_input(tiny_model):
    with pytest.raises(InputError, match="at least one review"):
        compute_profile(tiny_model, [])
    with pytest.raises(InputError, match="no masks"):
        compute_profile(make_tiny("bert", density=None), TEXTS)

"""The guard profile: what it measures, what its short form keeps, and its file."""

from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors.torch import save_file

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import CheckpointError, InputError
from sparsecbm_core.intervene import profile as module
from sparsecbm_core.intervene.profile import (
    HEADER,
    PROFILE_VERSION,
    GuardProfile,
    cached_profile,
    compute_profile,
    latest_profile,
    own_prediction_loss,
    profile_path,
    shipped_profile,
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
    subnetwork = Subnetwork(tiny_model, tiny_model.masks, "noise")
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
    subnetwork = Subnetwork(tiny_model, tiny_model.masks, "food")
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
    subnetwork = Subnetwork(tiny_model, tiny_model.masks, "food")
    subnetwork.theta = subnetwork.theta.clone()  # the dense weights are shared
    subnetwork.theta[7] = 0.0
    assert compute_profile(tiny_model, TEXTS).scale(subnetwork)[7] == 0.0


def test_a_file_and_back(tiny_model, tmp_path):
    profile = compute_profile(tiny_model, TEXTS, "some data")
    profile.save(tmp_path / "deep" / "profile.safetensors")
    loaded = GuardProfile.load(tmp_path / "deep" / "profile.safetensors")
    assert (loaded.model, loaded.data, loaded.reviews) == (tiny_model.fingerprint, "some data", 6)
    for concept, matrices in profile.rows.items():
        for name, values in matrices.items():
            torch.testing.assert_close(loaded.rows[concept][name], values, rtol=1e-2, atol=0)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["profile.safetensors"]


def test_a_concept_may_be_called_as_it_likes(tmp_path):
    """A slash in its name, even one that makes a name look like another's matrix."""
    space = ConceptSpace(("food/drink", "food", "/", "a/b/c"), ("no", "yes"), ("bad", "good"))
    model = make_tiny("bert", space=space)
    profile = compute_profile(model, TEXTS)
    profile.save(tmp_path / "p")
    loaded = GuardProfile.load(tmp_path / "p")
    for kept, made in ((loaded.rows, profile.rows), (loaded.columns, profile.columns)):
        assert set(kept) == set(space.concepts)
        for concept, matrices in made.items():
            assert {name: values.tolist() for name, values in kept[concept].items()} == {
                name: values.bfloat16().tolist() for name, values in matrices.items()
            }
    for concept in space.concepts:
        subnetwork = Subnetwork(model, model.masks, concept)
        torch.testing.assert_close(loaded.scale(subnetwork), profile.scale(subnetwork), rtol=2e-2, atol=1e-9)


def file_of(path, names=("rows/food/w", "columns/food/w"), **header):
    """A profile's file with these tensors, and parts of its header replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"schema_version": PROFILE_VERSION, "model": "m", "data": "d", "reviews": 3, **header}
    save_file({name: torch.ones(2) for name in names}, path, {HEADER: json.dumps(values)})


@pytest.mark.parametrize(
    ("names", "header", "fragment"),
    [
        (["rows"], {}, "is damaged: 'rows' names no side, concept and matrix"),
        (["rows/food"], {}, "is damaged: 'rows/food' names no side, concept and matrix"),
        (["diagonals/food/w"], {}, "is damaged"),
        (["rows/food/w"], {"reviews": "many"}, "is damaged, or no guard profile"),
        (["rows/food/w"], {"reviews": [3]}, "is damaged, or no guard profile"),
        (
            ["rows/food/w"],
            {"schema_version": PROFILE_VERSION + 1},
            f"has profile version {PROFILE_VERSION + 1}",
        ),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path, names, header, fragment):
    file_of(tmp_path / "good")
    assert GuardProfile.load(tmp_path / "good").reviews == 3
    file_of(tmp_path / "p", names, **header)
    with pytest.raises(CheckpointError) as caught:
        GuardProfile.load(tmp_path / "p")
    assert str(caught.value).startswith(f"{tmp_path / 'p'} {fragment}")


def test_the_second_time_it_is_read_and_a_damaged_file_is_replaced(tiny_model, tmp_path, monkeypatch):
    first = cached_profile(tmp_path, tiny_model, TEXTS, "d")
    path = profile_path(tmp_path, tiny_model, "d")
    assert path.is_file()
    with monkeypatch.context() as patch:
        patch.setattr(module, "compute_profile", None)  # would fail if it were called
        assert cached_profile(tmp_path, tiny_model, TEXTS, "d").model == first.model
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="damaged"):
        GuardProfile.load(path)
    assert cached_profile(tmp_path, tiny_model, TEXTS, "d").reviews == 6
    assert GuardProfile.load(path).reviews == 6


def test_another_model_or_other_reviews_have_their_own(tiny_model, tmp_path):
    other = make_tiny("bert", seed=1)
    paths = {
        profile_path(tmp_path, tiny_model, "d"),
        profile_path(tmp_path, other, "d"),
        profile_path(tmp_path, tiny_model, "e"),
    }
    assert len(paths) == 3
    cached_profile(tmp_path, tiny_model, TEXTS, "d").save(profile_path(tmp_path, other, "d"))
    assert cached_profile(tmp_path, other, TEXTS, "d").model == other.fingerprint


def test_a_folder_that_cannot_be_written_to_costs_only_time(tiny_model, tmp_path):
    (tmp_path / "guard_profiles").write_text("a file, where the folder should be")
    assert cached_profile(tmp_path, tiny_model, TEXTS, "d").reviews == 6


def test_bad_input(tiny_model):
    with pytest.raises(InputError, match="at least one review"):
        compute_profile(tiny_model, [])
    with pytest.raises(InputError, match="no masks"):
        compute_profile(make_tiny("bert", density=None), TEXTS)


def test_what_is_computed_here_is_not_what_came_with_the_model(tiny_model, tmp_path):
    """So that other reviews get a profile of their own."""
    assert (shipped_profile(tmp_path, tiny_model), latest_profile(tmp_path, tiny_model)) == (None, None)
    cached_profile(tmp_path, tiny_model, TEXTS, "a")
    assert shipped_profile(tmp_path, tiny_model) is None
    assert cached_profile(tmp_path, tiny_model, TEXTS[:2], "b").reviews == 2
    assert cached_profile(tmp_path, tiny_model, TEXTS, "a").reviews == 6
    assert profile_path(tmp_path, tiny_model, "a").parent == tmp_path / "guard_profiles" / "cache"


def test_the_one_kept_last_is_found_without_reviews(tiny_model, tmp_path):
    for age, data in enumerate(("b", "c", "a")):
        path = profile_path(tmp_path, tiny_model, data)
        file_of(path, model=tiny_model.fingerprint, data=data)
        os.utime(path, (1000 - age, 1000 - age))
    assert latest_profile(tmp_path, tiny_model).data == "b"
    profile_path(tmp_path, tiny_model, "b").write_bytes(b"damaged")
    assert latest_profile(tmp_path, tiny_model).data == "c"
    assert latest_profile(tmp_path, make_tiny("bert", seed=1)) is None


def test_a_damaged_profile_that_came_with_the_model_counts_as_none(tiny_model, tmp_path):
    def shipped(data):
        return tmp_path / "guard_profiles" / f"{tiny_model.fingerprint}-{data}.safetensors"

    file_of(shipped("a"), model=tiny_model.fingerprint)
    shipped("a").write_bytes(shipped("a").read_bytes()[:-3])
    file_of(shipped("b"), schema_version=PROFILE_VERSION + 1, model=tiny_model.fingerprint)
    file_of(shipped("c"), model="another")
    assert shipped_profile(tmp_path, tiny_model) is None
    file_of(shipped("d"), model=tiny_model.fingerprint, data="d")
    assert shipped_profile(tmp_path, tiny_model).data == "d"

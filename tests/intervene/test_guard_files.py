"""The guard profile and the guard baseline as files: there and back, damaged, of another model or reviews."""

from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors.torch import save_file

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.intervene import guard_files as module
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.guard_files import (
    PROFILE_HEADER,
    PROFILE_VERSION,
    baseline_path,
    cached_baseline,
    cached_profile,
    latest_profile,
    load_baseline,
    load_profile,
    profile_path,
    save_baseline,
    save_profile,
    shipped_profile,
)
from sparsecbm_core.intervene.profile import compute_profile
from sparsecbm_core.intervene.subnetwork import Subnetwork
from tests.tiny import REVIEW, make_tiny
from tests.toy import toy_reviews

TEXTS = [REVIEW, "good food", "the service was slow", "loud music", "we had dessert", "cold soup"]


@pytest.fixture(scope="module")
def reviews():
    return toy_reviews(40)


@pytest.fixture(scope="module")
def exact(tiny_model, reviews):
    return GuardBaseline.read(tiny_model, reviews)


def test_a_file_and_back(tiny_model, tmp_path):
    profile = compute_profile(tiny_model, TEXTS, "some data")
    save_profile(profile, tmp_path / "deep" / "profile.safetensors")
    loaded = load_profile(tmp_path / "deep" / "profile.safetensors")
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
    save_profile(profile, tmp_path / "p")
    loaded = load_profile(tmp_path / "p")
    for kept, made in ((loaded.rows, profile.rows), (loaded.columns, profile.columns)):
        assert set(kept) == set(space.concepts)
        for concept, matrices in made.items():
            assert {name: values.tolist() for name, values in kept[concept].items()} == {
                name: values.bfloat16().tolist() for name, values in matrices.items()
            }
    for concept in space.concepts:
        subnetwork = Subnetwork(model, concept)
        torch.testing.assert_close(loaded.scale(subnetwork), profile.scale(subnetwork), rtol=2e-2, atol=1e-9)


def file_of(path, names=("rows/food/w", "columns/food/w"), **header):
    """A profile's file with these tensors, and parts of its header replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"schema_version": PROFILE_VERSION, "model": "m", "data": "d", "reviews": 3, **header}
    save_file({name: torch.ones(2) for name in names}, path, {PROFILE_HEADER: json.dumps(values)})


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
    assert load_profile(tmp_path / "good").reviews == 3
    file_of(tmp_path / "p", names, **header)
    with pytest.raises(CheckpointError) as caught:
        load_profile(tmp_path / "p")
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
        load_profile(path)
    assert cached_profile(tmp_path, tiny_model, TEXTS, "d").reviews == 6
    assert load_profile(path).reviews == 6


def test_another_model_or_other_reviews_have_their_own(tiny_model, tmp_path):
    other = make_tiny("bert", seed=1)
    paths = {
        profile_path(tmp_path, tiny_model, "d"),
        profile_path(tmp_path, other, "d"),
        profile_path(tmp_path, tiny_model, "e"),
    }
    assert len(paths) == 3
    save_profile(cached_profile(tmp_path, tiny_model, TEXTS, "d"), profile_path(tmp_path, other, "d"))
    assert cached_profile(tmp_path, other, TEXTS, "d").model == other.fingerprint


def test_a_folder_that_cannot_take_a_profile_costs_only_time(tiny_model, tmp_path):
    (tmp_path / "guard_profiles").write_text("a file, where the folder should be")
    assert cached_profile(tmp_path, tiny_model, TEXTS, "d").reviews == 6


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


@pytest.mark.parametrize("faster", [True, False])
def test_a_baseline_is_kept_beside_the_model(tmp_path, tiny_model, reviews, exact, monkeypatch, faster):
    monkeypatch.setattr(module, "half_is_faster", lambda model, encoded: faster)
    first = cached_baseline(tmp_path, tiny_model, reviews)
    path = baseline_path(tmp_path, tiny_model, reviews.fingerprint())
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(GuardBaseline, "read", None)  # must not be needed again
    second = cached_baseline(tmp_path, tiny_model, reviews)
    for found in (first, second):
        assert torch.equal(found.concept_logits, exact.concept_logits)
        assert torch.equal(found.labels, exact.labels)
        assert (found.error is not None) is faster
    assert first.error == second.error


def test_a_damaged_or_foreign_baseline_is_replaced(tmp_path, tiny_model, tiny_models, reviews, exact):
    path = baseline_path(tmp_path, tiny_model, reviews.fingerprint())
    path.parent.mkdir()
    path.write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="damaged"):
        load_baseline(path, tiny_model, reviews)
    assert torch.equal(cached_baseline(tmp_path, tiny_model, reviews).concept_logits, exact.concept_logits)
    assert torch.equal(load_baseline(path, tiny_model, reviews).concept_logits, exact.concept_logits)
    with pytest.raises(CheckpointError, match="another model"):
        load_baseline(path, tiny_models["opt"], reviews)
    with pytest.raises(CheckpointError, match="other reviews"):
        load_baseline(path, tiny_model, toy_reviews(3))
    broken = exact._with(readings=torch.full_like(exact.readings, torch.nan))
    save_baseline(broken, path)
    with pytest.raises(CheckpointError, match="damaged"):
        load_baseline(path, tiny_model, reviews)


def test_a_folder_that_cannot_take_a_baseline_costs_only_time(tmp_path, tiny_model, reviews, exact):
    (tmp_path / "guard_baselines").write_text("a file where the folder would be")
    found = cached_baseline(tmp_path, tiny_model, reviews)
    assert torch.equal(found.concept_logits, exact.concept_logits)

"""Settings are checked where they are made, and survive the way to a file and back."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.config import (
    CRITERIA,
    HEAD_KINDS,
    KINDS,
    PRECISIONS,
    SCOPES,
    PruneSettings,
    TrainSettings,
)
from sparsecbm_core.errors import SettingsError

pruning = st.builds(
    PruneSettings,
    sparsity=st.floats(0, 0.99),
    criterion=st.sampled_from(CRITERIA),
    scope=st.sampled_from(SCOPES),
    exclusivity=st.floats(0, 1),
    updates=st.integers(1, 50),
    schedule_share=st.floats(0.01, 1),
    num_grads=st.integers(1, 2048),
    damp=st.floats(1e-12, 1),
)
training = st.builds(
    TrainSettings,
    backbone=st.just("some/model"),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**32 - 1),
    dense_epochs=st.integers(1, 20),
    sparse_epochs=st.integers(1, 20),
    head_epochs=st.integers(1, 20),
    gamma=st.floats(0, 10),
    dropout=st.one_of(st.none(), st.floats(0, 0.9)),
    precision=st.sampled_from(PRECISIONS),
    prune=pruning,
)


@given(training)
def test_settings_survive_json(settings):
    assert TrainSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_the_defaults_are_the_recipe():
    settings = TrainSettings("some/model")
    assert (settings.kind, settings.gamma, settings.precision) == ("sparse", 1.0, "auto")
    assert settings.prune == PruneSettings()
    assert (settings.prune.sparsity, settings.prune.exclusivity) == (0.8, 0.8)
    assert (settings.prune.criterion, settings.prune.scope) == ("second_order", "global")
    # s ≥ 1 − 1/P for the four concepts of CEBaB and the rest
    assert settings.prune.sparsity >= 1 - 1 / 5
    with pytest.raises(FrozenInstanceError):
        settings.seed = 1


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("sparsity", 1.0, r"sparsity must lie in \[0, 1\), got 1.0"),
        ("sparsity", -0.1, "sparsity must lie in"),
        ("sparsity", math.nan, "sparsity must lie in"),
        ("exclusivity", 1.5, r"exclusivity must lie in \[0, 1\], got 1.5"),
        ("schedule_share", 0.0, r"schedule_share must lie in \(0, 1\]"),
        ("criterion", "best", "unknown criterion 'best'; choose one of: second_order, diagonal_fisher"),
        ("scope", "layer", "unknown scope 'layer'; choose one of: global, matrix"),
        ("updates", 0, "updates must be a whole number of at least 1, got 0"),
        ("num_grads", 1.5, "num_grads must be a whole number"),
        ("grad_batch_size", True, "grad_batch_size must be a whole number"),
        ("block_size", -1, "block_size must be a whole number"),
        ("damp", 0.0, "damp must be positive"),
        ("damp", math.nan, "damp must be positive"),
        ("damp", math.inf, "damp must be positive and finite"),
        ("damp", "tiny", "damp must be positive and finite, got 'tiny'"),
        ("sparsity", "0.5", r"sparsity must lie in \[0, 1\), got '0.5'"),
        ("sparsity", True, "sparsity must lie in"),
        ("exclusivity", None, "exclusivity must lie in"),
    ],
)
def test_pruning_that_makes_no_sense(name, value, problem):
    with pytest.raises(SettingsError, match=problem) as caught:
        PruneSettings(**{name: value})
    assert "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match=problem):
        TrainSettings.from_dict({"backbone": "some/model", "prune": {name: value}})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("backbone", "", "backbone must be a model's name or folder"),
        ("backbone", 5, "backbone must be a model's name or folder, got 5"),
        (
            "kind",
            "dense",
            "unknown kind 'dense'; choose one of: standard, cbm, sequential, independent, sparse",
        ),
        ("precision", "float16", "unknown precision 'float16'; choose one of: auto, float32, bfloat16"),
        ("seed", -1, "seed must be a whole number of at least 0"),
        ("seed", 2**32, "seed must be below"),
        ("dense_epochs", 1.0, "dense_epochs must be a whole number"),
        ("sparse_epochs", 0, "needs at least one sparse epoch"),
        ("head_epochs", -1, "head_epochs must be a whole number of at least 0"),
        ("batch_size", 0, "batch_size must be a whole number of at least 1"),
        ("max_length", 7, "max_length must be a whole number of at least 8"),
        ("gamma", -1.0, "gamma must be finite and not negative"),
        ("gamma", math.nan, "gamma must be finite and not negative"),
        ("weight_decay", math.inf, "weight_decay must be finite and not negative"),
        ("encoder_lr", 0.0, "encoder_lr must be positive"),
        ("sparse_encoder_lr", math.nan, "sparse_encoder_lr must be positive"),
        ("projector_lr", -1e-3, "projector_lr must be positive"),
        ("classifier_lr", math.inf, "classifier_lr must be positive and finite"),
        ("max_grad_norm", 0, "max_grad_norm must be positive"),
        ("warmup_share", 1.1, "warmup_share must lie in"),
        ("soft_concepts", -0.1, "soft_concepts must lie in"),
        ("distillation", 1.5, r"distillation must lie in \[0, 1\]"),
        ("soft_labels", 2, r"soft_labels must lie in \[0, 1\]"),
        ("weight_average", 1.0, r"weight_average must lie in \[0, 1\)"),
        ("swap_loss", -0.1, "swap_loss must be finite and not negative"),
        ("dropout", 1.0, r"dropout must lie in \[0, 1\)"),
        ("dropout", "0.1", "dropout must lie in"),
        ("gamma", "1", "gamma must be finite and not negative, got '1'"),
        ("gamma", True, "gamma must be finite and not negative"),
        ("encoder_lr", "1e-4", "encoder_lr must be positive and finite, got '1e-4'"),
        ("warmup_share", False, "warmup_share must lie in"),
        ("prune", {"sparsity": 0.5}, "prune must be pruning settings"),
    ],
)
def test_training_that_makes_no_sense(name, value, problem):
    with pytest.raises(SettingsError, match=problem) as caught:
        TrainSettings(**{"backbone": "some/model", name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["standard", "cbm", *HEAD_KINDS])
def test_dense_kinds_need_a_dense_epoch_and_no_sparse_one(kind):
    with pytest.raises(SettingsError, match=f"kind '{kind}' needs at least one dense epoch"):
        TrainSettings("some/model", kind, dense_epochs=0)
    assert TrainSettings("some/model", kind, sparse_epochs=0).sparse_epochs == 0
    assert TrainSettings("some/model", "sparse", dense_epochs=0).dense_epochs == 0
    with pytest.raises(SettingsError, match="distillation needs kind 'sparse'"):
        TrainSettings("some/model", kind, distillation=0.5)
    with pytest.raises(SettingsError, match="swap_loss needs kind 'sparse'"):
        TrainSettings("some/model", kind, swap_loss=0.1)


def test_names_that_are_not_settings():
    with pytest.raises(SettingsError, match="unknown setting 'epochs'; choose one of: backbone, batch_size"):
        TrainSettings.from_dict({"backbone": "some/model", "epochs": 3})
    with pytest.raises(SettingsError, match="unknown setting 'zeta'; choose one of: block_size"):
        TrainSettings.from_dict({"backbone": "some/model", "prune": {"zeta": 1e-7}})
    with pytest.raises(SettingsError, match="backbone must be given"):
        TrainSettings.from_dict({})


def test_what_did_not_apply_is_not_recorded():
    def unused(kind, from_model=False, **values):
        settings = TrainSettings("some/model", kind, **values)
        recorded = settings.applied(from_model)
        assert {name: value for name, value in recorded.items() if value is not None}.items() <= (
            {**settings.to_dict(), "head": settings.trained_head}.items()
        )
        return {name for name, value in recorded.items() if value is None} - {"dropout"}

    sparse_only = {"sparse_epochs", "sparse_encoder_lr", "distillation", "swap_loss", "prune"}
    dense_phase = {"backbone", "dense_epochs", "encoder_lr"}
    honest = {"locality", "interventions", "task_on_states", "rest", "rest_penalty"}
    assert unused("sparse") == {"head_epochs"}
    assert unused("sparse", from_model=True) == dense_phase | {"head_epochs"}
    assert unused("sparse", dense_epochs=0) == {"encoder_lr", "head_epochs"}
    assert unused("cbm") == sparse_only | {"head_epochs"}
    assert unused("cbm", head="paper") == sparse_only | honest | {"head_epochs"}
    no_concepts = {"gamma", "classifier_lr", "soft_concepts", "head_epochs", "head"}
    assert unused("standard") == sparse_only | honest | no_concepts
    # γ weighs two losses against each other, of which each phase has one
    assert unused("sequential") == unused("independent") == sparse_only | honest | {"gamma"}
    learned_before = sparse_only | honest | dense_phase | {"gamma", "projector_lr"}
    assert unused("independent", from_model=True) == learned_before
    assert unused("sequential", from_model=True) == learned_before | {"soft_concepts"}
    assert TrainSettings("some/model", "sequential", dropout=0.5).applied(True)["dropout"] is None


@pytest.mark.parametrize("kind", HEAD_KINDS)
def test_a_head_needs_an_epoch_of_its_own(kind):
    with pytest.raises(SettingsError, match=f"kind '{kind}' needs at least one head epoch"):
        TrainSettings("some/model", kind, head_epochs=0)
    assert TrainSettings("some/model", head_epochs=0).head_epochs == 0


@pytest.mark.parametrize("item", [item for item in fields(TrainSettings) if item.name != "prune"])
def test_every_setting_is_part_of_what_identifies_a_run(item):
    """A changed setting changes the dictionary that a stopped run is compared by."""
    settings = TrainSettings("some/model")
    assert replace(settings, **{item.name: other(item, settings)}).to_dict() != settings.to_dict()


@pytest.mark.parametrize("item", fields(PruneSettings))
def test_every_pruning_setting_is_part_of_what_identifies_a_run(item):
    settings = TrainSettings("some/model")
    prune = replace(settings.prune, **{item.name: other(item, settings.prune)})
    assert replace(settings, prune=prune).to_dict() != settings.to_dict()


def other(item, settings):
    """Another value that makes sense for a setting."""
    choices = {
        "kind": "cbm",
        "head": "paper",
        "rest": "joint",
        "precision": "float32",
        "criterion": "magnitude",
        "scope": "matrix",
        "method": "partition",
    }
    value = getattr(settings, item.name)
    if isinstance(value, str):
        return choices.get(item.name, "another/model")
    return value + 1 if isinstance(value, int) else 0.25

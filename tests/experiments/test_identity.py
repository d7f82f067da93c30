"""Settings that came into being later do not make an old result another's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparsecbm_core.config import PruneSettings, TrainSettings
from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.experiments.identity import differences, flat
from sparsecbm_core.experiments.recipes import RECIPES, chosen_settings, settings_of

BASE = TrainSettings("some/encoder")


def test_what_differs_is_named_down_to_the_single_setting():
    other = replace(BASE, seed=3, prune=PruneSettings(damp=1e-5))
    assert differences(flat(BASE.to_dict()), flat(other.to_dict())) == ["seed", "prune.damp"]


def test_a_setting_that_an_older_result_lacks_must_have_its_default():
    now = flat({"start": BASE.to_dict(), **BASE.to_dict()})
    old = {name: value for name, value in now.items() if not name.endswith("warmup_share")}
    assert differences(old, now) == differences(now, old) == []
    assert differences(old, {**now, "start.warmup_share": 0.5}) == ["start.warmup_share"]
    assert differences(old, {**old, "unheard_of": 1}) == ["unheard_of"]
    assert differences(old, {**old, "unheard_of": None}) == []


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_settings(name):
    recipe = RECIPES[name]
    settings = settings_of(recipe, "some/encoder", 2, {"distillation": 0.3, "batch_size": 4})
    assert (settings.seed, settings.batch_size) == (2, 4)
    assert (settings.distillation == 0.3) == (settings.kind == "sparse") == (recipe.start is not None)
    assert recipe.start is None or settings_of(RECIPES[recipe.start], "x", 0).kind == "cbm"


def test_the_papers_recipe_and_ours():
    paper, ours = (settings_of(RECIPES[name], "x", 0) for name in ("sparse", "distinct"))
    assert (paper.prune.exclusivity, paper.distillation, paper.soft_concepts) == (0, 0, 0)
    assert ours.prune.exclusivity > 0
    assert paper.prune.sparsity == ours.prune.sparsity == 0.75


def test_choices_give_way_to_what_the_experiment_varies():
    settings = settings_of(RECIPES["sparse"], "x", 0, {"sparsity": 0.6, "damp": 1e-5}, {"sparsity": 0.9})
    assert (settings.prune.sparsity, settings.prune.damp) == (0.9, 1e-5)


@pytest.mark.parametrize("assignment", ["seed=1", "kind=cbm", "backbone=x", "nope=1", "damp"])
def test_what_an_experiment_decides_cannot_be_set(assignment):
    with pytest.raises(InputError, match="unknown setting"):
        chosen_settings([assignment], None)


def test_values_are_checked_where_the_settings_are_made():
    with pytest.raises(SettingsError, match="damp"):
        settings_of(RECIPES["sparse"], "x", 0, chosen_settings(["damp=-1"], None))

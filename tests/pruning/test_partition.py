"""Disjoint subnetworks of whole units: counts, ownership, choice by worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.roles import FUSED, GATE, MatrixInfo
from sparsecbm_core.pruning.partition import partition, unit_groups
from sparsecbm_core.pruning.select import kept_total
from tests.tiny import ARCHITECTURES, make_tiny

ROLES = ("query", "key", "value", "attention output", "feed-forward in", "feed-forward out")


def layer(width: int, inner: int) -> list[MatrixInfo]:
    shapes = [(width, width)] * 4 + [(inner, width), (width, inner)]
    return [MatrixInfo(role, 0, role, shape) for role, shape in zip(ROLES, shapes, strict=True)]


def parts(width: int, inner: int, heads: int, concepts: int, sparsity: float, seed: int = 0):
    infos = layer(width, inner)
    generator = np.random.default_rng(seed)
    scores = {info.name: generator.random((concepts, info.size)).astype(np.float32) for info in infos}
    shapes = {info.name: info.shape for info in infos}
    masks = partition(scores, shapes, unit_groups(infos, heads), sparsity)
    return {name: mask.reshape(concepts, *shapes[name]) for name, mask in masks.items()}


@settings(max_examples=40, deadline=None)
@given(
    heads=st.integers(1, 6),
    per_head=st.integers(5, 9),
    inner=st.integers(5, 24),
    concepts=st.integers(2, 5),
    extra=st.sampled_from([0.0, 0.0, 0.3, 0.7]),
    seed=st.integers(0, 99),
)
def test_counts_are_equal_and_nothing_is_shared(heads, per_head, inner, concepts, extra, seed):
    sparsity = 1 - (1 - extra) / concepts
    masks = parts(heads * per_head, inner, heads, concepts, sparsity, seed)
    total = sum(mask[0].size for mask in masks.values())
    kept = [sum(int(mask[k].sum()) for mask in masks.values()) for k in range(concepts)]
    width = heads * per_head
    whole = 4 * (width // concepts) * width + 2 * (inner // concepts) * width
    assert kept == [min(whole, kept_total(total, sparsity))] * concepts
    assert all(int(mask.sum(0).max()) <= 1 for mask in masks.values())


def test_units_left_over_are_nobodys_so_that_all_have_whole_ones():
    masks = parts(width=10, inner=8, heads=2, concepts=3, sparsity=2 / 3)
    for name, each in (("query", 3), ("feed-forward in", 2)):
        rows = masks[name].any(2)
        assert (masks[name] == rows[:, :, None]).all()
        assert rows.sum(1).tolist() == [each] * 3
    with pytest.raises(SettingsError, match=r"5 subnetworks cannot share out the 4 units of query, key"):
        parts(width=4, inner=8, heads=1, concepts=5, sparsity=0.8)


def test_units_go_whole_to_one_concept_with_their_column():
    masks = parts(width=8, inner=12, heads=4, concepts=2, sparsity=0.5)
    owner = masks["query"].any(2).argmax(0)  # of each of the 8 dimensions
    assert (owner.reshape(4, 2) == owner.reshape(4, 2)[:, :1]).all()  # heads stay together
    assert sorted(np.bincount(owner)) == [4, 4]
    for name in ("query", "key", "value"):
        assert (masks[name] == (owner == np.arange(2)[:, None])[:, :, None]).all()
    assert (masks["attention output"] == (owner == np.arange(2)[:, None])[:, None, :]).all()
    neuron = masks["feed-forward in"].any(2).argmax(0)
    assert (masks["feed-forward out"] == (neuron == np.arange(2)[:, None])[:, None, :]).all()


def test_concepts_take_turns_to_choose_what_is_worth_most_to_them():
    infos = layer(2, 4)
    scores = {info.name: np.zeros((2, info.size), dtype=np.float32) for info in infos}
    # Rows of "feed-forward in" are neurons: both want neuron 2 most, the second concept also wants 0.
    scores["feed-forward in"][0] = np.repeat([1, 3, 9, 0], 2)
    scores["feed-forward in"][1] = np.repeat([5, 1, 9, 4], 2)
    masks = partition(scores, {info.name: info.shape for info in infos}, unit_groups(infos, 1), 0.5)
    first = masks["feed-forward in"][0].reshape(4, 2)[:, 0]
    # turns: first 2, second 0; then second 3, first what is left
    assert first.tolist() == [False, True, True, False]


def test_a_higher_sparsity_leaves_out_the_least_valuable_of_ones_own():
    masks, own = (parts(8, 8, 2, 2, sparsity) for sparsity in (0.75, 0.5))
    assert all((~masks[name] | own[name]).all() for name in masks)


def test_subnetworks_that_cannot_be_disjoint_are_refused():
    with pytest.raises(SettingsError, match=r"3 subnetworks of sparsity 0\.5 .* at least 0\.6667"):
        parts(6, 6, 2, 3, 0.5)


def test_layers_of_other_matrices_are_refused():
    own = layer(4, 4)
    gate, fused = (MatrixInfo(role, 0, role, (4, 4)) for role in (GATE, FUSED))

    def refused(infos: list[MatrixInfo], words: str) -> None:
        with pytest.raises(SettingsError, match=f"^layer 0 has {words}; a partition needs query, key,"):
            unit_groups(infos, 2)

    refused(own[:-1], "no feed-forward out")
    refused([*own, gate], "'feed-forward gate'")
    refused([*own[3:], fused], "no query, key, value but 'query, key and value'")


def test_keys_that_queries_share_are_refused():
    own = [replace(info, shape=(2, 4)) if info.role in ("key", "value") else info for info in layer(4, 8)]
    with pytest.raises(SettingsError, match=r"of layer 0 have \[4, 2, 2, 4\] units"):
        unit_groups(own, 2)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_architecture_has_units(arch):
    network = make_tiny(arch).cbm
    groups = unit_groups(network.matrices, int(network.encoder.config.num_attention_heads))
    assert len(groups) == 2 * len({info.layer for info in network.matrices})
    assert {name for group in groups for name in group.matrices} == set(network.mask_shapes)

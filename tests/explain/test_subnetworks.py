"""Sizes, overlaps and pictures of subnetworks, against counts made by hand."""

from __future__ import annotations

import json
import time
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.data.types import Example, LoadReport, ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain import cross_accuracy, density_image, subnetwork_stats
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet, chance_jaccard
from sparsecbm_core.models.roles import ROLES, MatrixInfo
from tests.tiny import ARCHITECTURES, REVIEW, make_tiny, random_masks, with_masks

INFOS = (MatrixInfo("a", 0, "query", (2, 4)), MatrixInfo("b", 1, "query", (1, 3)))
BITS = {
    "a": [[[1, 1, 0, 0], [0, 0, 0, 0]], [[1, 0, 1, 0], [0, 0, 0, 1]], [[1, 1, 1, 1], [1, 1, 1, 1]]],
    "b": [[[1, 1, 1]], [[0, 0, 1]], [[0, 0, 0]]],
}
SMALL = MaskSet.from_bool(("x", "y", "z"), {name: np.array(bits, dtype=bool) for name, bits in BITS.items()})


def test_hand_counted_sizes_and_overlaps() -> None:
    stats = subnetwork_stats(SMALL, INFOS)
    assert stats.total == 11
    assert {name: item.kept for name, item in stats.concepts.items()} == {"x": 5, "y": 4, "z": 8}
    rows = [(row.matrix, row.layer, row.role, row.kept, row.density) for row in stats.concepts["x"].matrices]
    assert rows == [("a", 0, "query", 2, 0.25), ("b", 1, "query", 3, 1.0)]
    first = stats.overlaps[0]
    assert (first.first, first.second, first.both, first.either) == ("x", "y", 2, 7)
    assert first.jaccard == pytest.approx(2 / 7)
    assert first.chance == pytest.approx(chance_jaccard(5 / 11, 4 / 11))
    both = 2 * 3 / 8 + 3 * 1 / 3
    assert first.chance_by_matrix == pytest.approx(both / (5 + 4 - both))
    # a: 111 (x, y, z), 101, 011, 001, 001, 001, 001, 011; b: x, x, x and y
    assert stats.shared_by == (0, 6, 4, 1)
    assert stats.mean_jaccard == pytest.approx((2 / 7 + 2 / 11 + 3 / 9) / 3)
    assert stats.mean_chance == pytest.approx(sum(pair.chance_by_matrix for pair in stats.overlaps) / 3)
    assert not stats.disjoint
    assert json.loads(json.dumps(stats.to_dict()))["overlaps"][0]["both"] == 2


@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 7), st.randoms(use_true_random=False))
def test_counts_add_up_for_any_number_of_concepts(
    concepts: int, rows: int, columns: int, random: Random
) -> None:
    generator = np.random.default_rng(random.getrandbits(32))
    names = tuple(f"c{k}" for k in range(concepts))
    bits = generator.random((concepts, rows, columns)) < generator.random()
    masks = MaskSet.from_bool(names, {"a": bits})
    stats = subnetwork_stats(masks, [MatrixInfo("a", 0, "query", (rows, columns))])
    expected = np.bincount(bits.sum(0).reshape(-1), minlength=concepts + 1)
    assert list(stats.shared_by) == expected.tolist()
    assert sum(stats.shared_by) == stats.total
    assert sum(n * count for n, count in enumerate(stats.shared_by)) == bits.sum()
    for pair in stats.overlaps:
        kept = stats.concepts[pair.first].kept + stats.concepts[pair.second].kept
        assert pair.both + pair.either == kept


def test_chance_is_what_random_masks_show() -> None:
    shape = (400, 400)
    generator = np.random.default_rng(0)
    bits = {name: generator.random((2, *shape)) < density for name, density in (("a", 0.1), ("b", 0.4))}
    infos = [MatrixInfo(name, layer, "query", shape) for layer, name in enumerate(bits)]
    pair = subnetwork_stats(MaskSet.from_bool(("x", "y"), bits), infos).overlaps[0]
    assert pair.jaccard == pytest.approx(pair.chance_by_matrix, abs=0.003)
    assert pair.chance == pytest.approx(1 / 7, abs=0.003) != pytest.approx(pair.jaccard, abs=0.01)


def test_empty_masks_have_no_division_by_zero() -> None:
    masks = MaskSet.from_bool(("x", "y"), {"a": np.zeros((2, 2, 4), dtype=bool)})
    stats = subnetwork_stats(masks, INFOS[:1])
    assert stats.overlaps[0].jaccard == stats.overlaps[0].chance_by_matrix == 1.0
    assert stats.shared_by == (8, 0, 0)


def test_one_concept_has_no_pairs() -> None:
    stats = subnetwork_stats(MaskSet.ones(("x",), {"a": (2, 4)}), INFOS[:1])
    assert stats.overlaps == ()
    assert stats.mean_jaccard is None
    assert stats.shared_by == (0, 8)


def test_masks_of_another_model_are_refused(tiny_model: ConceptModel) -> None:
    with pytest.raises(InputError, match="not for these matrices"):
        subnetwork_stats(SMALL, tiny_model.cbm.matrices)


def test_ten_million_weights_are_counted_in_no_time() -> None:
    generator = np.random.default_rng(0)
    packed = generator.integers(0, 256, (4, 10_600_000 // 8), dtype=np.uint8)
    masks = MaskSet(("a", "b", "c", "d"), {"m": (1000, 10_600)}, {"m": packed})
    start = time.process_time()
    stats = subnetwork_stats(masks, [MatrixInfo("m", 0, "query", (1000, 10_600))])
    assert time.process_time() - start < 1.0
    assert sum(stats.shared_by) == 10_600_000


def test_an_image_shows_every_matrix_where_it_belongs() -> None:
    image = density_image(SMALL, INFOS, "x", cells=(2, 2))
    assert (image.layers, image.roles, image.cells) == ((0, 1), ("query",), (2, 2))
    assert image.values.tolist() == [[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
    # Three weights on two cells: the middle one counts half in each.
    y = density_image(SMALL, INFOS, "y", cells=(1, 2)).values
    assert y[1].tolist() == pytest.approx([0.0, 2 / 3])
    assert json.loads(json.dumps(image.to_dict()))["concept"] == "x"


def test_what_is_missing_in_a_layer_is_left_open() -> None:
    infos = (INFOS[0], MatrixInfo("b", 1, "key", (1, 3)))
    image = density_image(SMALL, infos, "x", cells=(1, 1))
    assert np.isnan(image.values).tolist() == [[False, True], [True, False]]
    exported = json.loads(json.dumps(image.to_dict(), allow_nan=False))
    assert exported["values"] == [[0.25, None], [None, 1.0]]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_block_means_are_the_densities(tiny_models: dict[str, ConceptModel], arch: str) -> None:
    model = tiny_models[arch]
    assert model.masks is not None
    image = density_image(model.masks, model.cbm.matrices, "service", cells=(5, 7))
    assert image.values.shape == (2 * 5, 6 * 7)
    assert image.roles == ROLES
    for row in subnetwork_stats(model.masks, model.cbm.matrices).concepts["service"].matrices:
        top, left = 5 * row.layer, 7 * image.roles.index(row.role)
        assert image.values[top : top + 5, left : left + 7].mean() == pytest.approx(row.density, abs=1e-6)


def test_images_stay_small(tiny_model: ConceptModel) -> None:
    assert tiny_model.masks is not None
    image = density_image(tiny_model.masks, tiny_model.cbm.matrices, "food", cells=(100, 100))
    assert image.values.size <= 10_000
    with pytest.raises(InputError, match=r"at least \(1, 1\)"):
        density_image(tiny_model.masks, tiny_model.cbm.matrices, "food", cells=(0, 3))
    with pytest.raises(InputError, match="unknown concept"):
        density_image(tiny_model.masks, tiny_model.cbm.matrices, "decor")


@pytest.fixture(scope="module")
def data(tiny_model: ConceptModel) -> ReviewDataset:
    words = REVIEW.split()
    generator = np.random.default_rng(0)
    examples = []
    for n in range(25):
        text, gold = " ".join(generator.permutation(words)[: 3 + n % 5]), generator.integers(0, 3, 3)
        examples.append(Example(str(n), text, 0, tuple(gold.tolist())))
    return ReviewDataset("toy", "dev", tiny_model.space, tuple(examples), LoadReport((), 25, 25))


def accuracies(model: ConceptModel, data: ReviewDataset) -> list[float]:
    gold = np.array([example.concepts for example in data])
    return (model.predict(data.texts).states.numpy() == gold).mean(0).tolist()


def test_own_masks_give_the_models_own_accuracy(tiny_model: ConceptModel, data: ReviewDataset) -> None:
    result = cross_accuracy(tiny_model, data, batch_size=4)
    own = [row[k] for k, row in enumerate(result.accuracy)]
    assert own == pytest.approx(accuracies(tiny_model, data))
    assert result.mean_own == pytest.approx(sum(own) / 3)
    others = [value for k, row in enumerate(result.accuracy) for j, value in enumerate(row) if j != k]
    assert result.mean_other == pytest.approx(sum(others) / 6)
    assert (result.concepts, result.examples) == (tiny_model.space.concepts, 25)
    assert json.loads(json.dumps(result.to_dict()))["mean_own"] == result.mean_own


def test_other_masks_give_what_swapped_masks_predict(tiny_model: ConceptModel, data: ReviewDataset) -> None:
    masks = tiny_model.masks
    assert masks is not None
    result = cross_accuracy(tiny_model, data)
    for j, concept in enumerate(masks.concepts):
        one = {name: np.stack([masks.concept_bool(name, concept)] * 3) for name in masks.shapes}
        swapped = with_masks(tiny_model, MaskSet.from_bool(masks.concepts, one))
        assert [row[j] for row in result.accuracy] == pytest.approx(accuracies(swapped, data))


def test_equal_masks_make_no_difference(tiny_model: ConceptModel, data: ReviewDataset) -> None:
    masks = random_masks(tiny_model.cbm, density=1.0)
    result = cross_accuracy(with_masks(tiny_model, masks), data)
    assert result.mean_other == pytest.approx(result.mean_own)


def test_progress_and_refusals(tiny_model: ConceptModel, data: ReviewDataset) -> None:
    steps: list[tuple[int, int]] = []
    cross_accuracy(tiny_model, data, 10, on_progress=lambda *step: steps.append(step))
    assert steps == [(10, 25), (20, 25), (25, 25)]
    with pytest.raises(InputError, match="dense model"):
        cross_accuracy(make_tiny("bert", density=None), data)
    with pytest.raises(InputError, match="needs at least one"):
        cross_accuracy(tiny_model, ReviewDataset("toy", "dev", data.space, (), data.report))

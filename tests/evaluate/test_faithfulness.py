"""Comprehensiveness and sufficiency of token methods, and the controls beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sparsecbm_core.errors import DataError, InputError
from sparsecbm_core.evaluate.erasure import erasure_drops
from sparsecbm_core.evaluate.faithfulness import token_faithfulness
from sparsecbm_core.explain import METHODS, explain
from sparsecbm_core.explain.words import words_of
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from tests.tiny import SPACE, make_tiny, with_masks
from tests.toy import dataset, make_example, toy_reviews

DATA = toy_reviews(6, "dev")
FAST = ("gradient", "occlusion")


@pytest.fixture(scope="module")
def result(tiny_model):
    return {method: token_faithfulness(tiny_model, DATA, method) for method in FAST}


def near(found, expected):
    """Equal but for rounding: how texts share a batch moves the last digits."""
    for one, other in zip(_values(found), _values(expected), strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def _values(found):
    curves = (*found.comprehensiveness_curve, *found.sufficiency_curve)
    return [found.comprehensiveness, found.sufficiency, *curves]


def same_masks(model):
    bits = {name: np.stack([model.masks.to_bool(name)[0]] * 3) for name in model.masks.shapes}
    return with_masks(model, MaskSet.from_bool(SPACE.concepts, bits))


def test_a_single_review_by_its_own_explanation(tiny_model):
    """Rank words by the explanation's scores, erase, average over the shares."""
    example = make_example(0, (0, 1, 2), 1)
    found = token_faithfulness(tiny_model, dataset([example]), "occlusion", shares=(0.5, 1.0))
    explanation = explain(tiny_model, example.text, "occlusion")
    encoded = tiny_model.encode([example.text])[0]
    states = [SPACE.state_index(explanation.concepts[name].state) for name in SPACE.concepts]
    rankings = [
        sorted(range(len(item.tokens)), key=lambda place, item=item: -item.tokens[place].score)
        for item in explanation.concepts.values()
    ]
    drops = erasure_drops(
        tiny_model.cbm,
        tiny_model.weights,
        encoded.ids,
        [word.tokens for word in words_of(example.text, encoded)],
        np.array([rankings]),
        torch.tensor(states),
        tiny_model.tokenizer.pad_token_id,
        (0.5, 1.0),
    )[0]  # (K, 2, S)
    told = [state != 2 for state in states]
    own = found.rankings["own"]
    assert found.pairs == sum(told) > 0
    assert own.comprehensiveness == pytest.approx(drops[told, 0].mean())
    assert own.sufficiency == pytest.approx(drops[told, 1].mean())
    assert own.comprehensiveness_curve == pytest.approx(drops[told, 0].mean(0))
    assert own.sufficiency_curve == pytest.approx(drops[told, 1].mean(0))


def test_every_ranking_ends_with_all_words_gone(result):
    rankings = [*result["gradient"].rankings.values(), *result["occlusion"].rankings.values()]
    assert len(rankings) == 6
    last = {round(each.comprehensiveness_curve[-1], 9) for each in rankings}
    assert len(last) == 1
    assert all(each.sufficiency_curve[-1] == 0 for each in rankings)
    assert len({round(each.comprehensiveness, 9) for each in rankings}) == 5  # chance is the same for both


def test_pairs_are_what_is_mentioned(tiny_model, result):
    mentioned = (tiny_model.predict(DATA.texts).states.numpy() != 2).sum()
    assert {each.pairs for each in result.values()} == {mentioned}


def test_margins_are_differences_of_pairs(result):
    for found in result.values():
        assert list(found.margins) == ["random", "mask_swap"]
        for control, margin in found.margins.items():
            own, other = found.rankings["own"], found.rankings[control]
            gap = own.comprehensiveness - other.comprehensiveness
            assert margin.comprehensiveness.value == pytest.approx(gap)
            assert margin.sufficiency.value == pytest.approx(own.sufficiency - other.sufficiency)


def test_a_method_that_sees_the_effect_beats_chance():
    """With nothing kept of the encoder's matrices words do not meet, and leaving one out is nearly exact."""
    model = make_tiny("bert")
    shapes = model.masks.shapes
    empty = MaskSet.from_bool(SPACE.concepts, {name: np.zeros((3, *s), bool) for name, s in shapes.items()})
    found = token_faithfulness(with_masks(model, empty), toy_reviews(10), "occlusion")
    own, chance = found.rankings["own"], found.rankings["random"]
    assert own.comprehensiveness > chance.comprehensiveness
    assert own.sufficiency < chance.sufficiency


def test_swapping_equal_masks_changes_nothing(tiny_model):
    for method in FAST:
        found = token_faithfulness(same_masks(tiny_model), DATA, method)
        near(found.rankings["mask_swap"], found.rankings["own"])
        assert found.margins["mask_swap"].comprehensiveness.value == pytest.approx(0, abs=1e-6)


def test_a_dense_model_has_no_masks_to_swap():
    found = token_faithfulness(make_tiny("bert", density=None), DATA, "gradient")
    assert list(found.rankings) == ["own", "random"]
    assert list(found.margins) == ["random"]


def test_controls_are_seeded_and_the_same_for_all_methods(tiny_model, result):
    near(result["occlusion"].rankings["random"], result["gradient"].rankings["random"])
    other = token_faithfulness(tiny_model, DATA, "occlusion", seed=1)
    chance = result["occlusion"].rankings["random"].comprehensiveness
    assert other.rankings["random"].comprehensiveness != pytest.approx(chance, abs=1e-4)
    near(other.rankings["own"], result["occlusion"].rankings["own"])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_and_a_draw_of_reviews(tiny_model, method):
    seen = []
    found = token_faithfulness(
        tiny_model, DATA, method, reviews=2, steps=2, on_progress=lambda *step: seen.append(step)
    )
    assert (found.reviews, found.skipped) == (2, 0)
    assert seen == [(1, 2), (2, 2)]


def test_texts_without_a_word_are_counted_and_left_out(tiny_model):
    nothing = replace(DATA.examples[0], text="\u200b")
    found = token_faithfulness(tiny_model, dataset([nothing, DATA.examples[1]]), "gradient")
    assert (found.reviews, found.skipped) == (1, 1)
    with pytest.raises(DataError, match="no text with a word"):
        token_faithfulness(tiny_model, dataset([nothing]), "gradient")


@pytest.mark.parametrize(
    ("method", "shares", "message"),
    [
        ("gradiant", (0.5,), "unknown token method 'gradiant'"),
        ("gradient", (0.0,), "not above 1"),
        ("gradient", (), "not above 1"),
    ],
)
def test_bad_settings_are_refused(tiny_model, method, shares, message):
    with pytest.raises(InputError, match=message):
        token_faithfulness(tiny_model, DATA, method, shares=shares)


def test_a_standard_classifier_is_refused(tiny_model):
    standard = replace(tiny_model, network=StandardClassifier(tiny_model.network.encoder, SPACE), masks=None)
    with pytest.raises(InputError, match="no concepts to read or explain"):
        token_faithfulness(standard, DATA, "gradient")

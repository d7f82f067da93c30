"""Comprehensiveness and sufficiency of token methods, and the controls beside them."""

from __future__ import annotations

import json
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
    return token_faithfulness(tiny_model, DATA, FAST)


def near(found, expected):
    """Equal but for rounding: how texts share a batch moves the last digits."""
    for one, other in zip(_rows(found), _rows(expected), strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def _rows(found):
    parts = [found.mentioned, found.everything, *found.per_concept.values()]
    return [
        [
            each.pairs,
            each.comprehensiveness,
            each.sufficiency,
            *each.comprehensiveness_curve,
            *each.sufficiency_curve,
        ]
        for each in parts
        if each is not None
    ]


def same_masks(model):
    bits = {name: np.stack([model.masks.to_bool(name)[0]] * 3) for name in model.masks.shapes}
    return with_masks(model, MaskSet.from_bool(SPACE.concepts, bits))


def test_a_single_review_by_its_own_explanation(tiny_model):
    """Rank words by the explanation's scores, erase, average over the shares."""
    example = make_example(0, (0, 1, 2), 1)
    found = token_faithfulness(tiny_model, dataset([example]), ("occlusion",), shares=(0.5, 1.0))
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
    )[0]  # (K, 2, S, 2)
    everything = found.methods["occlusion"].everything
    assert everything.pairs == 3
    assert everything.comprehensiveness == pytest.approx(drops[:, 0, :, 0].mean())
    assert everything.sufficiency == pytest.approx(drops[:, 1, :, 0].mean())
    assert everything.comprehensiveness_lead == pytest.approx(drops[:, 0, :, 1].mean())
    assert everything.sufficiency_lead == pytest.approx(drops[:, 1, :, 1].mean())
    assert everything.comprehensiveness_curve == pytest.approx(drops[:, 0, :, 0].mean(0))
    assert everything.sufficiency_curve == pytest.approx(drops[:, 1, :, 0].mean(0))
    told = [state != 2 for state in states]
    mentioned = found.methods["occlusion"].mentioned
    assert mentioned.pairs == sum(told)
    assert mentioned.comprehensiveness == pytest.approx(drops[told, 0, :, 0].mean())


def test_every_ranking_ends_with_all_words_gone(result):
    rankings = [*result.methods.values(), result.random, *result.mask_swap.values()]
    assert len(rankings) == 5
    last = {round(each.everything.comprehensiveness_curve[-1], 9) for each in rankings}
    assert len(last) == 1
    assert all(each.everything.sufficiency_curve[-1] == 0 for each in rankings)
    assert len({each.everything.comprehensiveness for each in rankings}) == 5


def test_concepts_add_up_to_what_is_mentioned(tiny_model, result):
    mentioned = (tiny_model.predict(DATA.texts).states.numpy() != 2).sum(0)
    parts = result.methods["gradient"].per_concept
    assert list(parts) == list(SPACE.concepts)
    assert [0 if part is None else part.pairs for part in parts.values()] == mentioned.tolist()
    whole = result.methods["gradient"].mentioned
    sums = sum(part.comprehensiveness * part.pairs for part in parts.values() if part)
    assert whole.comprehensiveness == pytest.approx(sums / mentioned.sum())
    assert result.methods["gradient"].everything.pairs == 18


def test_margins_are_differences_of_pairs(result):
    for method in FAST:
        for control, other in (("random", result.random), ("mask_swap", result.mask_swap[method])):
            margin, own = result.margins[method][control], result.methods[method].mentioned
            gap = own.comprehensiveness - other.mentioned.comprehensiveness
            assert margin.comprehensiveness.value == pytest.approx(gap)
            assert margin.sufficiency.value == pytest.approx(own.sufficiency - other.mentioned.sufficiency)
            assert margin.sufficiency.clusters <= len(DATA)


def test_a_method_that_sees_the_effect_beats_chance():
    """With nothing kept of the encoder's matrices words do not meet, and leaving one out is nearly exact."""
    model = make_tiny("bert")
    shapes = model.masks.shapes
    empty = MaskSet.from_bool(SPACE.concepts, {name: np.zeros((3, *s), bool) for name, s in shapes.items()})
    found = token_faithfulness(with_masks(model, empty), toy_reviews(10), ("occlusion",))
    own, chance = found.methods["occlusion"].everything, found.random.everything
    assert own.comprehensiveness_lead > chance.comprehensiveness_lead
    assert own.sufficiency_lead < chance.sufficiency_lead


def test_swapping_equal_masks_changes_nothing(tiny_model):
    found = token_faithfulness(same_masks(tiny_model), DATA, FAST)
    for method in FAST:
        near(found.mask_swap[method], found.methods[method])
    assert found.margins["gradient"]["mask_swap"].comprehensiveness.value == pytest.approx(0, abs=1e-6)


def test_a_dense_model_has_no_masks_to_swap():
    found = token_faithfulness(make_tiny("bert", density=None), DATA, ("gradient",))
    assert found.mask_swap is None
    assert list(found.margins["gradient"]) == ["random"]


def test_controls_are_seeded_and_the_same_for_all_methods(tiny_model, result):
    alone = token_faithfulness(tiny_model, DATA, ("occlusion",))
    near(alone.random, result.random)
    near(alone.mask_swap["occlusion"], result.mask_swap["occlusion"])
    other = token_faithfulness(tiny_model, DATA, ("occlusion",), seed=1)
    assert other.random.everything.comprehensiveness != pytest.approx(
        alone.random.everything.comprehensiveness, abs=1e-4
    )
    near(other.methods["occlusion"], alone.methods["occlusion"])


def test_what_the_result_says_of_itself(tiny_model, result):
    assert result.settings["reviews"] == result.reviews == 6
    assert (result.skipped, result.settings["seed"]) == (0, 0)
    assert (result.model, result.data["fingerprint"]) == (tiny_model.fingerprint, DATA.fingerprint())
    assert json.loads(json.dumps(result.to_dict()))["methods"].keys() == set(FAST)


def test_every_method_and_a_draw_of_reviews(tiny_model):
    steps = []
    found = token_faithfulness(
        tiny_model, DATA, tuple(METHODS), reviews=2, steps=2, on_progress=lambda *step: steps.append(step)
    )
    assert list(found.methods) == list(METHODS)
    assert found.reviews == 2
    assert steps == [(1, 2), (2, 2)]


def test_texts_without_a_word_are_counted_and_left_out(tiny_model):
    nothing = replace(DATA.examples[0], text="\u200b")
    found = token_faithfulness(tiny_model, dataset([nothing, DATA.examples[1]]), ("gradient",))
    assert (found.reviews, found.skipped) == (1, 1)
    with pytest.raises(DataError, match="no text with a word"):
        token_faithfulness(tiny_model, dataset([nothing]), ("gradient",))


@pytest.mark.parametrize(
    ("methods", "shares", "message"),
    [
        (("gradiant",), (0.5,), "unknown token method 'gradiant'"),
        ((), (0.5,), "at least one of"),
        ("gradient", (0.5,), "must be a list"),
        (("gradient",), (0.0,), "not above 1"),
        (("gradient",), (), "not above 1"),
    ],
)
def test_bad_settings_are_refused(tiny_model, methods, shares, message):
    with pytest.raises(InputError, match=message):
        token_faithfulness(tiny_model, DATA, methods, shares=shares)


def test_a_standard_classifier_is_refused(tiny_model):
    standard = replace(tiny_model, network=StandardClassifier(tiny_model.network.encoder, SPACE), masks=None)
    with pytest.raises(InputError, match="no concepts to read or explain"):
        token_faithfulness(standard, DATA, ("gradient",))

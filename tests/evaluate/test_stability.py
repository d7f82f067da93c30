"""Agreement of two models' explanations: against scipy, by hand, and of a model with itself."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.evaluate.stability import (
    chance_overlap,
    compare_explanations,
    explanation_stability,
    spearman,
    word_agreement,
)
from sparsecbm_core.explain import ConceptExplanation, TokenScore, explain
from tests.tiny import SPACE, make_tiny
from tests.toy import toy_reviews

DATA = toy_reviews(8, "dev")


def concept(*scores, state="Negative"):
    tokens = tuple(TokenScore("w", 2 * n, 2 * n + 1, score) for n, score in enumerate(scores))
    return ConceptExplanation("food", state, {}, {}, {}, {}, tokens)


def test_spearman_is_scipys():
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.integers(0, 5, (2, 12)).astype(float)  # with ties
        assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert spearman(np.ones(4), np.arange(4.0)) is None


def test_chance_overlap_by_hand():
    """Of 4 words, two pairs of 2: both shared in 1 of 6, one in 4, none in 1. (1 + 4/3) / 6."""
    assert chance_overlap(4, 2) == pytest.approx((1 + 4 / 3) / 6)
    assert chance_overlap(5, 5) == 1.0
    rng = random.Random(0)
    draws = [(set(rng.sample(range(20), 5)), set(rng.sample(range(20), 5))) for _ in range(20_000)]
    assert chance_overlap(20, 5) == pytest.approx(
        np.mean([len(a & b) / len(a | b) for a, b in draws]), abs=0.003
    )


def test_word_agreement_by_hand():
    """Ranks 1 2 3 4 against 2 1 3 4: ρ = 1 − 6·2/60. The top two are the same, the top one too."""
    first, second = concept(1.0, 2.0, 3.0, 4.0), concept(0.2, 0.1, 0.3, 0.4)
    assert word_agreement(first, second, top=2) == pytest.approx((0.8, 1.0, chance_overlap(4, 2)))
    assert word_agreement(first, concept(4.0, 3.0, 2.0, 1.0), top=2)[:2] == pytest.approx((-1.0, 0.0))
    assert word_agreement(first, concept(4.0, 1.0, 2.0, 3.0), top=2)[1] == pytest.approx(1 / 3)


def test_only_words_that_both_have_are_compared():
    longer = concept(1.0, 2.0, 3.0, 4.0, -9.0)
    assert word_agreement(longer, concept(1.0, 2.0, 3.0, 4.0))[0] == pytest.approx(1)
    assert word_agreement(concept(1.0, 2.0), longer) is None  # too few
    assert word_agreement(concept(1.0, 1.0, 1.0), longer) is None  # no order


def test_a_model_agrees_with_itself(tiny_model):
    found = explanation_stability([tiny_model, tiny_model], DATA, "gradient")
    pair = found.pairs[0]
    assert (pair.label_agreement, pair.state_agreement, pair.top_concept) == (1, 1, 1)
    assert (pair.contributions, pair.contributions_plain) == (pytest.approx(1), pytest.approx(1))
    assert (pair.words.spearman, pair.words.overlap) == (pytest.approx(1), 1)
    assert found.figures["spearman"].std is None
    mentioned = (tiny_model.predict(DATA.texts).states.numpy() != 2).sum()
    assert pair.words.pairs == mentioned


def test_figures_are_over_pairs_of_models():
    models = [make_tiny("bert", seed) for seed in range(3)]
    found = explanation_stability(models, DATA, "gradient")
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    values = [pair.contributions for pair in found.pairs]
    assert found.figures["contributions"].mean == pytest.approx(np.mean(values))
    assert found.figures["contributions"].std == pytest.approx(np.std(values, ddof=1))
    assert max(abs(value) for value in values) < 0.9
    known = [pair.words.spearman for pair in found.pairs if pair.words]
    assert found.figures["spearman"].mean == pytest.approx(np.mean(known))


def shifted(item, flip=1.0, add=0.0):
    """Every contribution times ``flip``, and ``add`` to all labels of a concept alike."""
    moved = {
        name: replace(
            part,
            contributions={label: flip * value + add for label, value in part.contributions.items()},
            relative_contributions={
                label: flip * value + add for label, value in part.relative_contributions.items()
            },
        )
        for name, part in item.concepts.items()
    }
    return replace(item, concepts=moved)


def test_what_no_prediction_depends_on_does_not_count(tiny_model):
    item = explain(tiny_model, DATA.texts[0], None)
    same = compare_explanations([item], [shifted(item, add=5.0)], SPACE)
    assert (same.contributions, same.contributions_plain) == (pytest.approx(1), pytest.approx(1))
    opposite = compare_explanations([item], [shifted(item, flip=-1.0)], SPACE)
    assert (opposite.contributions, opposite.contributions_plain) == (pytest.approx(-1), pytest.approx(-1))
    assert opposite.top_concept == 0
    assert opposite.words is None  # no words were scored


def test_other_states_and_labels_are_counted_and_not_compared(tiny_model):
    items = [explain(tiny_model, text, "gradient") for text in DATA.texts[:2]]
    food = items[0].concepts["food"]
    state = next(name for name in SPACE.states if name != food.state)
    label = next(name for name in SPACE.labels if name != items[0].label)
    changed = replace(
        items[0], label=label, concepts={**items[0].concepts, "food": replace(food, state=state)}
    )
    found = compare_explanations(items, [changed, items[1]], SPACE)
    assert (found.label_agreement, found.state_agreement) == (0.5, pytest.approx(5 / 6))
    assert found.top_concept == 1
    pairs = sum(part.state != "unknown" for item in items for part in item.concepts.values())
    assert found.words.pairs == pairs - (food.state != "unknown")


def test_the_result_is_plain_and_seeded(tiny_model):
    seen, models = [], [tiny_model, make_tiny("roberta", 1)]
    found = explanation_stability(
        models, DATA, "gradient", reviews=3, on_progress=lambda *step: seen.append(step)
    )
    assert seen == [(n, 6) for n in range(1, 7)]
    assert found.models == tuple(model.fingerprint for model in models)
    assert found.examples == found.settings["reviews"] == 3
    assert json.loads(json.dumps(found.to_dict()))["settings"]["method"] == "gradient"
    assert found == explanation_stability(models, DATA, "gradient", reviews=3)


def test_bad_input_is_refused(tiny_model):
    with pytest.raises(InputError, match="two or more models, got 1"):
        explanation_stability([tiny_model], DATA)
    with pytest.raises(InputError, match="unknown token method"):
        explanation_stability([tiny_model, tiny_model], DATA, "gradiant")
    with pytest.raises(SettingsError, match="top must be"):
        explanation_stability([tiny_model, tiny_model], DATA, top=0)
    with pytest.raises(InputError, match="at least one of each"):
        compare_explanations([], [], SPACE)

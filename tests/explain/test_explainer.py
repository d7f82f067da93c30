"""The one call that explains a text, at its edges."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecbm_core.errors import InputError
from sparsecbm_core.explain import METHODS, explain, explain_many, score_tokens, with_tokens
from sparsecbm_core.explain.words import words_of
from sparsecbm_core.models.backbone import build_backbone
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from tests.tiny import ARCHITECTURES, MAX_LENGTH, REVIEW, SPACE, make_tiny, random_masks, with_masks

HOSTILE = {
    "nul and controls": "soup\x00 \x07cold\x1b[31m",
    "lone surrogate": "cold \ud83d soup",
    "markup": "<script>alert('soup')</script> [SEP] </s> <pad> [PAD]",
    "right to left": "\u202ecold\u202c مطعم جيد",
    "one long word": "s" * 5000,
    "very long": "The soup was cold. " * 500,
    "accents on accents": "e" + "\u0301" * 50,
    "emoji": "👩\u200d👩\u200d👧\u200d👦" * 5,
}


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_explained(tiny_models: dict[str, ConceptModel], arch: str, name: str) -> None:
    for method in ("gradient", "occlusion"):
        result = explain(tiny_models[arch], HOSTILE[name], method)
        assert len(result.text) == len(HOSTILE[name])
        json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False).encode("utf-8")
        for item in result.concepts.values():
            assert item.tokens
            assert all(token.text == result.text[token.start : token.end] for token in item.tokens)


@settings(max_examples=25)
@given(text=st.text(max_size=40))
def test_any_text_is_explained_or_refused_in_one_line(
    tiny_models: dict[str, ConceptModel], text: str
) -> None:
    for arch in ("bert", "opt"):
        model = tiny_models[arch]
        if text.strip() and words_of(text, model.encode([text])[0]):
            result = explain(model, text, "gradient")
            assert result.text == text
            assert all(token.score >= 0 for item in result.concepts.values() for token in item.tokens)
        else:
            with pytest.raises(InputError, match=r"^[^\n]*$"):
                explain(model, text, "gradient")


@pytest.mark.parametrize("text", ["", "   ", "\n\t\u00a0"])
def test_an_empty_text_is_refused(tiny_model: ConceptModel, text: str) -> None:
    with pytest.raises(InputError, match="text is empty"):
        explain(tiny_model, text)
    with pytest.raises(InputError, match="text 1: the text is empty"):
        explain_many(tiny_model, [REVIEW, text])


def test_a_text_without_a_readable_character_is_refused(tiny_model: ConceptModel) -> None:
    with pytest.raises(InputError, match=r"nothing in the text '\\u200b' can be read"):
        explain(tiny_model, "\u200b")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"states": {"decor": "Positive"}}, "unknown concept 'decor'; choose one of: food, service, noise"),
        ({"states": {"food": "Great"}}, "unknown state 'Great'; choose one of: Negative, Positive, unknown"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"steps": True}, "steps must be a whole number"),
        ({"method": "attention"}, "unknown token method 'attention'"),
    ],
)
def test_bad_arguments_are_refused(tiny_model: ConceptModel, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        explain(tiny_model, REVIEW, **options)


def test_what_is_not_text_is_refused(tiny_model: ConceptModel) -> None:
    number: Any = 5
    with pytest.raises(InputError, match="must be text, got int"):
        explain(tiny_model, number)
    with pytest.raises(InputError, match="got a single text"):
        explain_many(tiny_model, REVIEW)


def test_a_standard_classifier_has_nothing_to_explain(tiny_model: ConceptModel) -> None:
    values = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    network = StandardClassifier(build_backbone({**values, "vocab_size": 300}), SPACE).eval()
    model = ConceptModel(network, tiny_model.tokenizer, None, MAX_LENGTH)
    with pytest.raises(InputError, match="standard classifier: it has no concepts"):
        explain(model, REVIEW)


def test_a_dense_model_is_explained_too() -> None:
    result = explain(make_tiny("bert", density=None), REVIEW, "gradient")
    assert all(item.tokens for item in result.concepts.values())


def test_truncation_is_told(tiny_model: ConceptModel) -> None:
    text = "The soup was cold. " * 40
    result = explain(tiny_model, text, "gradient")
    encoded = tiny_model.encode([text])[0]
    assert result.truncated.kept == MAX_LENGTH < result.truncated.total == encoded.total_tokens
    last = result.concepts["food"].tokens[-1]
    assert last.end == result.truncated.kept_chars < len(text)
    short = explain(tiny_model, REVIEW, None).truncated
    assert short.kept == short.total
    assert short.kept_chars == len(REVIEW)


@pytest.mark.parametrize("method", METHODS)
def test_words_added_later_give_the_same_explanation(tiny_model: ConceptModel, method: str) -> None:
    whole = explain(tiny_model, REVIEW, method)
    first = explain(tiny_model, REVIEW, None)
    assert with_tokens(tiny_model, first, method) == whole
    scored = score_tokens(tiny_model, REVIEW, method)
    assert {name: (item.tokens, item.convergence_delta) for name, item in whole.concepts.items()} == scored


def test_another_state_keeps_the_prediction(tiny_model: ConceptModel) -> None:
    whole = explain(tiny_model, REVIEW, "gradient")
    other = next(state for state in SPACE.states if state != whole.concepts["food"].state)
    asked = with_tokens(tiny_model, whole, "gradient", states={"food": other})
    assert asked == explain(tiny_model, REVIEW, "gradient", states={"food": other})
    assert asked.concepts["food"].state == other
    assert asked.concepts["food"].tokens != whole.concepts["food"].tokens
    assert asked.concepts["service"] == whole.concepts["service"]
    assert asked.logits == whole.logits


def test_given_weights_replace_the_models_own(tiny_model: ConceptModel) -> None:
    masks = random_masks(tiny_model.cbm, seed=5)
    given = explain(
        tiny_model, REVIEW, "gradient", weights=tiny_model.cbm.weights_for(masks), fingerprint="x"
    )
    expected = explain(with_masks(tiny_model, masks), REVIEW, "gradient")
    assert given == replace(expected, fingerprint="x")
    assert given.logits != explain(tiny_model, REVIEW, None).logits


def test_weights_are_never_given_the_models_own_name(tiny_model: ConceptModel) -> None:
    for options in ({"weights": tiny_model.weights}, {"fingerprint": "x"}):
        with pytest.raises(InputError, match="given together, or neither is"):
            explain(tiny_model, REVIEW, **options)
        with pytest.raises(InputError, match="given together, or neither is"):
            explain_many(tiny_model, [REVIEW], **options)


def test_corrected_concepts_keep_their_rows(tiny_model: ConceptModel) -> None:
    """Weights in which single concepts are replaced (as after a correction) give that concept's scores."""
    assert tiny_model.masks is not None
    assert tiny_model.weights is not None
    other = random_masks(tiny_model.cbm, seed=5)
    replaced = {
        name: layer.weight * other.to_torch(name)[1] for name, layer in tiny_model.cbm.masked_layers.items()
    }
    weights = tiny_model.weights.with_concept("service", replaced)
    result = explain(tiny_model, REVIEW, "gradient", weights=weights, fingerprint="corrected")
    corrected = explain(with_masks(tiny_model, other), REVIEW, "gradient")
    own = explain(tiny_model, REVIEW, "gradient")
    for concept, expected in (("food", own), ("service", corrected)):
        scores = [token.score for token in result.concepts[concept].tokens]
        wanted = [token.score for token in expected.concepts[concept].tokens]
        assert scores == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_many_are_explained_in_order_with_progress(tiny_model: ConceptModel) -> None:
    texts, steps = [REVIEW, "Cold soup.", "Slow waiters!"], []
    results = explain_many(tiny_model, texts, "gradient", on_progress=lambda *step: steps.append(step))
    assert results == [explain(tiny_model, text, "gradient") for text in texts]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert explain_many(tiny_model, []) == []


def test_results_and_method_names_need_no_torch() -> None:
    code = (
        "import sys; import sparsecbm_core.explain as e; import sparsecbm_core.explain.results; "
        "list(e.METHODS); assert 'torch' not in sys.modules and 'pydantic' not in sys.modules; "
        "assert all(hasattr(e, name) for name in e.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

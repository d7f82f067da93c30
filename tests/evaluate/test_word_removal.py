"""Words taken out of one review: against texts cut by hand, and with chance beside."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate import word_removal as module
from sparsecbm_core.evaluate.word_removal import word_removal
from sparsecbm_core.explain.results import TokenScore
from sparsecbm_core.explain.words import words_of
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import ARCHITECTURES, REVIEW, make_tiny


def scored(model: ConceptModel, text: str, seed: int = 0) -> tuple[TokenScore, ...]:
    words = words_of(text, model.encode([text])[0])
    scores = np.random.default_rng(seed).permutation(len(words)).tolist()
    return tuple(
        TokenScore(text[w.start : w.end], w.start, w.end, float(score))
        for w, score in zip(words, scores, strict=True)
    )


def read(model: ConceptModel, text: str, concept: str, dropped: list[int]) -> torch.Tensor:
    """The concept's probabilities without some words, by the whole model."""
    encoded = model.encode([text])[0]
    words = words_of(text, encoded)
    gone = {position for word in dropped for position in words[word].tokens}
    ids = torch.tensor([[token for position, token in enumerate(encoded.ids) if position not in gone]])
    with torch.inference_mode():
        logits = model.cbm(ids, torch.ones_like(ids), model.weights).concept_logits[0]
    return logits[model.space.concept_index(concept)].double().softmax(-1)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("row_tokens", [1, 4096])
def test_what_remains_is_that_of_texts_cut_by_hand(
    arch: str,
    row_tokens: int,
    tiny_models: dict[str, ConceptModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ROW_TOKENS", row_tokens)
    model = tiny_models[arch]
    rankings = {"one": scored(model, REVIEW, 1), "two": scored(model, REVIEW, 2)}
    found = word_removal(model, REVIEW, "service", rankings, draws=3)
    whole = read(model, REVIEW, "service", [])
    state = int(whole.argmax())
    assert found.state == model.space.states[state]
    assert found.probability == pytest.approx(float(whole[state]), abs=1e-5)
    assert found.counts == (1, 3, 5)
    for name, tokens in rankings.items():
        order = sorted(range(len(tokens)), key=lambda place: -tokens[place].score)
        assert found.rankings[name].words == tuple(tokens[place].text for place in order[:5])
        for count, remaining in zip(found.counts, found.rankings[name].remaining, strict=True):
            cut = read(model, REVIEW, "service", order[:count])
            assert remaining == pytest.approx(float(cut[state]), abs=1e-5)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(found.words) for _ in range(3)]
    for place, count in enumerate(found.counts):
        cuts = [float(read(model, REVIEW, "service", order[:count].tolist())[state]) for order in orders]
        assert found.random[place] == pytest.approx(np.mean(cuts), abs=1e-5)
        assert found.random_std[place] == pytest.approx(np.std(cuts), abs=1e-5)


def test_a_state_that_was_not_found_can_be_asked_for(tiny_model: ConceptModel) -> None:
    tokens = scored(tiny_model, REVIEW)
    found = word_removal(tiny_model, REVIEW, "food", {"a": tokens}, state="unknown", draws=1)
    assert found.state == "unknown"
    assert found.probability == pytest.approx(float(read(tiny_model, REVIEW, "food", [])[2]), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "counts"), [("good soup", (1,)), ("good cold soup", (1, 2)), ("good cold soup meal", (1, 3))]
)
def test_a_short_text_keeps_a_word(tiny_model: ConceptModel, text: str, counts: tuple[int, ...]) -> None:
    found = word_removal(tiny_model, text, "food", {"a": scored(tiny_model, text)})
    assert found.counts == counts
    assert len(found.rankings["a"].words) == counts[-1]


def test_of_equal_scores_the_earlier_word_goes_first(tiny_model: ConceptModel) -> None:
    flat = tuple(TokenScore(t.text, t.start, t.end, 0.5) for t in scored(tiny_model, "good cold soup"))
    found = word_removal(tiny_model, "good cold soup", "food", {"a": flat})
    assert found.rankings["a"].words == ("good", "cold")


def test_the_same_text_is_read_once(tiny_model: ConceptModel) -> None:
    """Two words: of 21 orders only two differ, and the whole text is a third."""
    seen: list[tuple[int, int]] = []
    word_removal(
        tiny_model,
        "good soup",
        "food",
        {"a": scored(tiny_model, "good soup")},
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(3, 3)]


def test_it_is_the_same_again_and_can_be_saved(tiny_model: ConceptModel) -> None:
    rankings = {"a": scored(tiny_model, REVIEW)}
    first, second = (word_removal(tiny_model, REVIEW, "food", rankings) for _ in range(2))
    assert first == second
    data = json.loads(json.dumps(first.to_dict()))
    assert data["draws"] == 20
    assert data["schema_version"] == 1


def test_a_dense_model_is_read_as_well() -> None:
    model = make_tiny("bert", density=None)
    found = word_removal(model, REVIEW, "food", {"a": scored(model, REVIEW)}, draws=1)
    assert 0 < found.probability < 1


def test_what_cannot_be_tested_is_refused(tiny_model: ConceptModel) -> None:
    tokens = scored(tiny_model, REVIEW)
    with pytest.raises(InputError, match="two words or more"):
        word_removal(tiny_model, "soup", "food", {"a": scored(tiny_model, "soup")})
    with pytest.raises(InputError, match="the words of 'a' are not those"):
        word_removal(tiny_model, REVIEW, "food", {"a": tokens[1:]})
    with pytest.raises(InputError, match="unknown concept 'price'"):
        word_removal(tiny_model, REVIEW, "price", {"a": tokens})
    with pytest.raises(InputError, match="unknown state 'good'"):
        word_removal(tiny_model, REVIEW, "food", {"a": tokens}, state="good")
    with pytest.raises(InputError, match="at least 1"):
        word_removal(tiny_model, REVIEW, "food", {"a": tokens}, counts=(0, 1))
    with pytest.raises(InputError, match="draws must be at least 1"):
        word_removal(tiny_model, REVIEW, "food", {"a": tokens}, draws=0)

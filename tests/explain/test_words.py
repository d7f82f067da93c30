"""Words by character offsets, whatever the tokenizer."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparsecbm_core.explain.words import words_of
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import ARCHITECTURES

each_architecture = pytest.mark.parametrize("arch", ARCHITECTURES)
COOK, THUMB, HEART = "👩\u200d🍳", "👍\U0001f3fd", "❤\ufe0f"  # each of several code points
ODD = ("don't", " ", "\n", "é", "e\u0301", COOK, THUMB, HEART, "ﬁ", "寿司", "مطعم", "\u200b", "\x00", "</s>")
parts = st.one_of(st.sampled_from(ODD), st.text(max_size=6))
texts = st.lists(parts, max_size=8).map("".join)


def split(model: ConceptModel, text: str, pieces: bool = False) -> list[str]:
    return [text[word.start : word.end] for word in words_of(text, model.encode([text])[0], pieces)]


@each_architecture
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cold food, waiter!", ["cold", "food", ",", "waiter", "!"]),
        ("I don't mind", ["I", "don't", "mind"]),
        ("a well-cooked meal - really", ["a", "well-cooked", "meal", "-", "really"]),
        ("'great' waiters' tip", ["'", "great", "'", "waiters", "'", "tip"]),
        ("It’s naïve", ["It’s", "naïve"]),
        ("cafe\u0301 soup", ["cafe\u0301", "soup"]),
        ("unbelievably overpriced", ["unbelievably", "overpriced"]),
        ("  two\n\nlines\t", ["two", "lines"]),
        ("soup 😀 good", ["soup", "😀", "good"]),
        ("soup", ["soup"]),
    ],
)
def test_words(tiny_models: dict[str, ConceptModel], arch: str, text: str, words: list[str]) -> None:
    assert split(tiny_models[arch], text) == words


@pytest.mark.parametrize("arch", ["roberta", "opt"])
@pytest.mark.parametrize("emoji", ["😀", COOK, THUMB, HEART])
def test_an_emoji_of_several_tokens_is_one_word(
    tiny_models: dict[str, ConceptModel], arch: str, emoji: str
) -> None:
    model, text = tiny_models[arch], f"good {emoji} soup"
    assert len(model.encode([emoji])[0].ids) > 3
    assert split(model, text) == ["good", emoji, "soup"]
    assert split(model, "😀😀") == ["😀", "😀"]


def test_pieces_stay_apart_but_parts_of_a_character_do_not(tiny_models: dict[str, ConceptModel]) -> None:
    for arch in ("bert", "opt"):
        pieces = split(tiny_models[arch], "unbelievably", pieces=True)
        assert len(pieces) > 1
        assert "".join(pieces) == "unbelievably"
    assert split(tiny_models["opt"], "😀", pieces=True) == ["😀"]


def test_characters_written_without_spaces_stay_as_cut(tiny_models: dict[str, ConceptModel]) -> None:
    assert split(tiny_models["bert"], "寿司屋 good") == ["寿", "司", "屋", "good"]


@each_architecture
@given(text=texts, pieces=st.booleans())
@example(text="a-", pieces=False)
@example(text="\u0301", pieces=False)
@example(text="\u200d\u200d", pieces=False)
@example(text="x</s>y [SEP]z", pieces=False)
def test_words_are_slices_in_order_that_cover_every_token_once(
    tiny_models: dict[str, ConceptModel], arch: str, text: str, pieces: bool
) -> None:
    model = tiny_models[arch]
    encoded = model.encode([text])[0]
    words = words_of(text, encoded, pieces)
    end = 0
    for word in words:
        assert end <= word.start < word.end <= len(text)
        part = text[word.start : word.end]
        assert part == part.strip() != ""
        end = word.end
    used = [token for word in words for token in word.tokens]
    assert used == sorted(set(used))
    left = set(range(len(encoded.ids))) - set(used)
    assert all(encoded.special[t] or not text[slice(*encoded.offsets[t])].strip() for t in left)


@pytest.mark.parametrize("arch", ["roberta", "opt"])
@given(text=texts)
def test_byte_level_words_hold_every_visible_character(
    tiny_models: dict[str, ConceptModel], arch: str, text: str
) -> None:
    model = tiny_models[arch]
    encoded = model.encode([text])[0]
    seen = {index for word in words_of(text, encoded) for index in range(word.start, word.end)}
    for index, character in enumerate(text[: encoded.kept_chars]):
        assert index in seen or character.isspace()

"""Words by character offsets, whatever the tokenizer."""

from __future__ import annotations

import unicodedata

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from sparsecbm_core.data.batches import Encoded, tokenize
from sparsecbm_core.explain import borders
from sparsecbm_core.explain.words import words_of
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import ARCHITECTURES

each_architecture = pytest.mark.parametrize("arch", ARCHITECTURES)
COOK, THUMB, HEART = "👩\u200d🍳", "👍\U0001f3fd", "❤\ufe0f"  # each of several code points
JAMO = unicodedata.normalize("NFD", "한국")
THAI = "อาหารอร่อย"  # two words: food, delicious
MANY = (COOK, THUMB, HEART, "e\u0301", "🇩🇪🇫🇷", JAMO, THAI, "ക്ഷി", "\u0301")
ODD = (*MANY, "don't", " ", "\n", "é", "ﬁ", "寿司", "مطعم", "\u200b", "\x00", "</s>")
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


@each_architecture
@given(text=texts, pieces=st.booleans())
@example(text=" \u0301a", pieces=True)
def test_what_readers_see_as_one_character_is_never_cut(
    tiny_models: dict[str, ConceptModel], arch: str, text: str, pieces: bool
) -> None:
    model = tiny_models[arch]
    inside = {
        index
        for found in regex.finditer(r"\X", text)
        for index in range(found.start() + 1, found.end())
        if not text[index - 1].isspace()  # an accent on a space, which belongs to no word
    }
    for word in words_of(text, model.encode([text])[0], pieces):
        assert not {word.start, word.end} & inside


def unigram(*vocabulary: str) -> PreTrainedTokenizerFast:
    """SentencePiece's kind: compatibility forms composed, "▁" in place of spaces."""
    pieces = [("<unk>", 0.0), ("▁", -3.0), *((piece, -5.0) for piece in vocabulary)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", pad_token="<unk>")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_korean_syllable_of_several_letters_is_not_cut(form: str) -> None:
    """Composed by the tokenizer, a syllable's token names its first letter alone."""
    text = unicodedata.normalize(form, "한국 음식 good")
    syllables = [unicodedata.normalize(form, syllable) for syllable in "한국음식"]
    tokenizer = unigram(*"한국음식", "good")
    encoded = tokenize(tokenizer, [text], 64)[0]
    pieces = [text[word.start : word.end] for word in words_of(text, encoded, pieces=True)]
    assert pieces == [*syllables, "good"]
    words = [text[word.start : word.end] for word in words_of(text, encoded)]
    assert words == [syllables[0] + syllables[1], syllables[2] + syllables[3], "good"]


def cut(text: str, *parts: str) -> Encoded:
    """A text as a tokenizer would cut it."""
    spans, end = [], 0
    for part in parts:
        start = text.index(part, end)
        end = start + len(part)
        spans.append((start, end))
    return Encoded((1,) * len(spans), tuple(spans), (False,) * len(spans), len(spans), len(text))


UNSPACED = {
    "Thai": ("อาหารอร่อยมาก", ["อาหาร", "อร่อย", "มาก"]),
    "Lao": ("ອາຫານແຊບຫຼາຍ", ["ອາຫານ", "ແຊບ", "ຫຼາຍ"]),
    "Burmese": ("အစားအသောက်ကောင်းတယ်", ["အစားအသောက်", "ကောင်း", "တယ်"]),
    "Khmer": ("ម្ហូបឆ្ងាញ់ណាស់", ["ម្ហូប", "ឆ្ងាញ់", "ណាស់"]),
}


@pytest.mark.parametrize("script", UNSPACED)
def test_scripts_without_spaces_have_words(script: str) -> None:
    """Tokens of one character each: only the dictionary knows which belong together."""
    text, words = UNSPACED[script]
    whole = f"{text}, good {text}20😀{text}"
    encoded = cut(whole, *regex.findall(r"\X", whole))
    found = [whole[word.start : word.end] for word in words_of(whole, encoded)]
    assert found == [*words, ",", "good", *words, "20", "😀", *words]


def test_a_token_across_the_dictionarys_border_is_not_cut() -> None:
    text = "อาหารอร่อย"
    words = words_of(text, cut(text, "อา", "หารอ", "ร่อย"))
    assert [text[word.start : word.end] for word in words] == [text]


def test_without_a_dictionary_such_scripts_stay_as_the_tokenizer_cut_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(borders, "has_dictionaries", lambda: False)
    text = "น้ำกำลังดี soup"
    words = words_of(text, cut(text, "น", "\u0e49\u0e33กำ", "ลัง", "ดี", "so", "up"))
    assert [text[word.start : word.end] for word in words] == ["น้ำกำ", "ลัง", "ดี", "soup"]

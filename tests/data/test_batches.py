"""Tokens with offsets, padding and batches of similar length."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import threading
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecbm_core.data import Encoded, collate, length_buckets, tokenize
from sparsecbm_core.errors import InputError

TRICKY = [
    "",
    "   \n",
    "the soup was cold.",
    "The soup wASN'T   cold 🍜🍜, café!",
    "a\x00b\x07\u200b\u202e",
    "👩‍👩‍👧 e\u0301 \u0f00",
    "[SEP] the [CLS] </s> [PAD]",
]


def encoded(*lengths):
    return [Encoded(tuple(range(1, n + 1)), ((0, 1),) * n, (False,) * n, n, n) for n in lengths]


def test_word_pieces_by_hand(wordpiece):
    (item,) = tokenize(wordpiece, ["The waiters"], 16)
    assert wordpiece.convert_ids_to_tokens(item.ids) == ["[CLS]", "the", "wait", "##er", "##s", "[SEP]"]
    assert item.offsets == ((0, 0), (0, 3), (4, 8), (8, 10), (10, 11), (0, 0))
    assert item.special == (True, False, False, False, False, True)
    assert (item.total_tokens, item.kept_chars) == (6, 11)


def test_truncation_keeps_special_tokens_and_counts_the_whole(wordpiece):
    (item,) = tokenize(wordpiece, ["the soup was cold. the soup"], 5)
    assert wordpiece.convert_ids_to_tokens(item.ids) == ["[CLS]", "the", "soup", "was", "[SEP]"]
    assert (item.total_tokens, item.kept_chars) == (9, 12)
    assert (len(item.offsets), len(item.special)) == (5, 5)


@pytest.mark.parametrize("fixture", ["wordpiece", "opt_like", "gpt2_like"])
@pytest.mark.parametrize("max_length", [4, 9, 200])
def test_agrees_with_the_tokenizers_own_truncation(request, fixture, max_length):
    tokenizer = request.getfixturevalue(fixture)
    texts = [text for text in TRICKY if text.strip()]
    ours = tokenize(tokenizer, texts, max_length)
    theirs = tokenizer(
        texts,
        truncation=True,
        max_length=max_length,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    assert [list(item.ids) for item in ours] == theirs["input_ids"]
    assert [list(item.offsets) for item in ours] == [list(map(tuple, o)) for o in theirs["offset_mapping"]]
    assert [list(map(int, item.special)) for item in ours] == theirs["special_tokens_mask"]
    assert [item.total_tokens for item in ours] == [len(ids) for ids in tokenizer(texts)["input_ids"]]
    assert any(item.total_tokens > len(item.ids) for item in ours) == (max_length < 200)


def test_byte_level_offsets_are_characters(opt_like):
    text = "the soup 🍜é"
    (item,) = tokenize(opt_like, [text], 50)
    assert item.special == (True, *[False] * (len(item.ids) - 1))
    assert item.ids[0] == opt_like.bos_token_id
    pieces = [text[start:stop] for start, stop in item.offsets[1:]]
    # Four bytes of the emoji are four tokens over one character.
    assert pieces[:2] == ["the", "soup"]
    assert pieces.count("🍜") == 4
    assert item.kept_chars == len(text)


@pytest.mark.parametrize("fixture", ["wordpiece", "opt_like", "gpt2_like"])
@given(text=st.text(st.characters(), max_size=60), max_length=st.integers(3, 20))
@settings(max_examples=60, deadline=None)
def test_any_text_works(request, fixture, text, max_length):
    tokenizer = request.getfixturevalue(fixture)
    (item,) = tokenize(tokenizer, [text], max_length)
    assert 1 <= len(item.ids) <= max_length
    assert len(item.ids) == len(item.offsets) == len(item.special) == min(max_length, item.total_tokens)
    assert 0 <= item.kept_chars <= len(text)
    assert all(0 <= start <= stop <= len(text) for start, stop in item.offsets)
    assert all(span == (0, 0) for span, special in zip(item.offsets, item.special, strict=True) if special)


def test_lone_surrogates_read_as_replacement_characters(opt_like):
    broken, replaced = tokenize(opt_like, ["the \ud83c soup", "the \ufffd soup"], 30)
    assert broken == replaced


def test_an_empty_text_has_one_token_to_pool(gpt2_like, wordpiece):
    (item,) = tokenize(gpt2_like, [""], 8)
    assert item == Encoded((gpt2_like.bos_token_id,), ((0, 0),), (True,), 1, 0)
    (item,) = tokenize(wordpiece, ["\x00"], 8)
    assert wordpiece.convert_ids_to_tokens(item.ids) == ["[CLS]", "[SEP]"]


def test_very_long_texts(wordpiece, gpt2_like, caplog):
    caplog.set_level(logging.WARNING)
    (words,) = tokenize(wordpiece, ["cold " * 20_000], 12)
    assert (len(words.ids), words.total_tokens, words.kept_chars) == (12, 20_002, 49)
    (one_word,) = tokenize(gpt2_like, ["x" * 100_000], 12)
    assert (one_word.total_tokens, one_word.kept_chars) == (100_000, 12)
    assert caplog.text == ""


def test_truncation_and_padding_saved_with_the_tokenizer_do_not_matter(wordpiece):
    wordpiece.backend_tokenizer.enable_truncation(3)
    wordpiece.backend_tokenizer.enable_padding(length=40)
    assert [len(item.ids) for item in tokenize(wordpiece, ["the soup was cold", "soup"], 10)] == [6, 3]


def test_threads_share_a_tokenizer(opt_like):
    texts = ["the soup was cold and late " * 20] * 20
    expected = tokenize(opt_like, texts, 64)
    opt_like.backend_tokenizer.enable_truncation(5)
    results, errors = [], []

    def work(length):
        try:
            results.append((length, tokenize(opt_like, texts, length)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(64 if i % 2 else 32,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [result for length, result in results if length == 64] == [expected] * 4


def test_tokenize_refuses(wordpiece):
    with pytest.raises(InputError, match="object is not a fast tokenizer"):
        tokenize(object(), ["a"], 8)
    with pytest.raises(InputError, match="list of texts"):
        tokenize(wordpiece, "a", 8)
    with pytest.raises(InputError, match="text 1 is not text but NoneType"):
        tokenize(wordpiece, ["a", None], 8)
    for bad in (2, 0, -1, 8.0, True, None):
        with pytest.raises(InputError, match="max_length must be a whole number of at least 3"):
            tokenize(wordpiece, ["a"], bad)
    assert tokenize(wordpiece, [], 8) == []


def test_collate_pads_on_the_right():
    batch = collate(encoded(2, 4, 1), pad_id=9)
    assert batch.input_ids.tolist() == [[1, 2, 9, 9], [1, 2, 3, 4], [1, 9, 9, 9]]
    assert batch.attention_mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]
    assert batch.input_ids.dtype == batch.attention_mask.dtype == torch.int64
    with pytest.raises(InputError, match="at least one text"):
        collate([], 0)


@given(
    lengths=st.lists(st.integers(0, 500), max_size=400),
    batch_size=st.integers(1, 40),
    seed=st.none() | st.integers(0, 2**31),
)
def test_buckets_hold_every_index_once(lengths, batch_size, seed):
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    batches = length_buckets(lengths, batch_size, generator)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    sizes = sorted((len(batch) for batch in batches), reverse=True)
    full, rest = divmod(len(lengths), batch_size)
    assert sizes == [batch_size] * full + [rest] * bool(rest)
    for batch in batches:
        assert [lengths[i] for i in batch] == sorted(lengths[i] for i in batch)


def test_buckets_without_generator_are_sorted():
    assert length_buckets([5, 1, 3, 1, 4], 2) == [[1, 3], [2, 4], [0]]
    assert length_buckets([], 2) == []


def test_buckets_with_generator_are_shuffled_and_reproducible():
    lengths = [i % 97 for i in range(2000)]
    first, again, other = (
        length_buckets(lengths, 8, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert sorted(map(tuple, first)) != sorted(map(tuple, other))
    # Batches come in random order of length (one pool here), yet padding stays small.
    pool = length_buckets(lengths[:200], 8, torch.Generator().manual_seed(1))
    shortest = [lengths[batch[0]] for batch in pool]
    assert shortest != sorted(shortest)
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in first)
    assert padded < 1.1 * sum(lengths)


def test_texts_of_a_group_come_together_a_few_at_a_time():
    """Seven edits of each review, as in CEBaB: most share their batch with the two nearest in length."""
    rng = random.Random(0)
    groups = [str(i // 7) for i in range(1400)]
    lengths = [20 + 7 * (int(group) % 9) + rng.randrange(12) for group in groups]
    batches = length_buckets(lengths, 16, torch.Generator().manual_seed(0), groups)
    assert sorted(index for batch in batches for index in batch) == list(range(1400))
    together = Counter(name for batch in batches for name in Counter(groups[i] for i in batch).values())
    assert together[2] + together[3] > 2 * together[1]
    assert sum(max(lengths[i] for i in batch) * len(batch) for batch in batches) < 1.15 * sum(lengths)


@pytest.mark.parametrize("batch_size", [0, -3, 1.5, True])
def test_buckets_refuse_a_bad_batch_size(batch_size):
    with pytest.raises(InputError, match="batch_size"):
        length_buckets([1, 2], batch_size)


def test_loaders_do_not_import_torch():
    code = (
        "import sys, sparsecbm_core.data as data; data.load_cebab; assert 'torch' not in sys.modules;"
        "assert data.tokenize.__name__ == 'tokenize' and 'torch' in sys.modules;"
        "assert all(hasattr(data, name) for name in data.__all__) and not hasattr(data, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Texts unlike the training texts are told by their words."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecbm_core.data.batches import Encoded
from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.training_words import FALSE_ALARMS, LONGER, RARE, USUAL, TrainingWords

SIZE = 40


def text(*tokens: int) -> Encoded:
    """Between two special tokens, as an encoder reads it."""
    ids = (0, *tokens, 1)
    special = (True, *[False] * len(tokens), True)
    return Encoded(ids, tuple((0, 0) for _ in ids), special, len(ids), 0)


def test_the_score_is_the_mean_log_ratio_of_distinct_words_with_a_little_for_length() -> None:
    """Two training texts count tokens 5, 6 and 5; Zipf's law gives token t the share 1/(t+1)/H."""
    words = TrainingWords.of([text(5, 6, 5), text(5)], [text(5)] * 50, SIZE)
    assert words is not None
    harmonic = sum(1 / rank for rank in range(1, SIZE + 1))

    def ratio(token: int, count: int) -> float:
        elsewhere = 1 / (token + 1) / harmonic
        return min(max(math.log((count + elsewhere) / 4 / elsewhere), RARE), USUAL)

    expected = (ratio(5, 2) + ratio(6, 1) + ratio(30, 0)) / 3 * 3**LONGER
    assert words.score(text(5, 6, 6, 30)) == pytest.approx(expected, abs=2e-3)
    assert ratio(30, 0) < 0 < ratio(6, 1)


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(2, SIZE - 1), min_size=1, max_size=3), min_size=50, max_size=60))
def test_no_more_than_two_in_a_hundred_of_the_texts_it_is_set_on_are_taken_for_others(
    drawn: list[list[int]],
) -> None:
    texts = [text(*tokens) for tokens in drawn]
    words = TrainingWords.of(texts[:20], texts, SIZE)
    assert words is not None
    assert sum(not words.familiar(item) for item in texts) <= FALSE_ALARMS * len(texts)


def test_texts_of_other_words_are_unlike() -> None:
    """Of usual words, of words that no training text has, and of nothing."""
    own = [text(20, 21, 22), text(21, 22, 23), text(22, 23, 20)] * 20
    words = TrainingWords.of(own, own, SIZE)
    assert words is not None
    assert words.familiar(text(23, 21, 22))
    assert not words.familiar(text(5, 6, 7))
    assert not words.familiar(text(35, 36, 37))
    assert not words.familiar(text())


def test_too_few_texts_set_no_threshold() -> None:
    assert TrainingWords.of([text(5)], [text(5)] * 49, SIZE) is None


def test_damaged_files_are_refused(tmp_path) -> None:
    path = tmp_path / "words.safetensors"
    TrainingWords(torch.zeros(SIZE).half(), 0.5).save(path)
    with pytest.raises(CheckpointError, match=r"for \(40,\) tokens, the model's vocabulary has 41"):
        TrainingWords.load(path, SIZE + 1)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CheckpointError, match="is damaged"):
        TrainingWords.load(path, SIZE)

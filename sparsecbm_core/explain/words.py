"""Tokens to words, by character offsets: the same for every tokenizer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsecbm_core.explain.borders import Characters, unspaced_borders

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded

_INNER = frozenset("'’ʼ-‐‑")  # signs that hold a word together: don't, well-done
_JOINER = "\u200d"  # asks that letters be written together
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class Word:
    """The characters [start, end) of a text and the positions of the tokens that cover them."""

    start: int
    end: int
    tokens: tuple[int, ...]


def words_of(text: str, encoded: Encoded, pieces: bool = False) -> tuple[Word, ...]:
    """The words of a tokenised text, in order; with ``pieces`` its word pieces.

    Neighbouring pieces belong to one word where no white space lies between them and the
    characters on both sides are letters or digits, or an apostrophe or hyphen inside a word:
    "food," gives "food" and ",". Chinese and Japanese characters, written without spaces, stay as
    the tokenizer cut them, and so do Thai, Lao, Burmese and Khmer where ICU's dictionaries are not
    installed; where they are, a token border is a word's border only if the dictionary has one there.
    What readers see as one character (a grapheme cluster) always stays together. Special tokens and
    white space belong to no word.

    >>> from sparsecbm_core.data.batches import Encoded
    >>> cut = ((0, 0), (0, 3), (3, 4), (4, 5), (6, 8), (8, 9), (0, 0))
    >>> special = (True, False, False, False, False, False, True)
    >>> [(w.start, w.end) for w in words_of("don't go,", Encoded((1,) * 7, cut, special, 7, 9))]
    [(0, 5), (6, 8), (8, 9)]
    """
    words: list[Word] = []
    characters, unspaced = Characters(text), unspaced_borders(text)
    for position, ((start, end), special) in enumerate(zip(encoded.offsets, encoded.special, strict=True)):
        start, end = _trim(text, start, end)
        if special or start >= end:
            continue
        start, end = _trim(text, *characters.around(start, end))  # a space may carry an accent
        while end < len(text) and _mark(text[end]):  # a sign that the tokenizer dropped or cut off
            end += 1
        last = words[-1] if words else None
        if last is not None and (
            start < last.end or (not pieces and start == last.end and _joined(text, start, unspaced))
        ):
            words[-1] = Word(last.start, max(end, last.end), (*last.tokens, position))
        else:
            words.append(Word(start, end, (position,)))
    return tuple(words)


def without_words(
    ids: Sequence[int],
    words: Sequence[Sequence[int]],
    dropped: Iterable[int],
    pad_id: int,
) -> list[int]:
    """The tokens that stay when the ``dropped`` words go; one padding token where none does."""
    gone = {position for word in dropped for position in words[word]}
    return [token for position, token in enumerate(ids) if position not in gone] or [pad_id]


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the white space that byte-level tokens carry."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _joined(text: str, border: int, unspaced: Container[int]) -> bool:
    """Whether the characters before and after ``border`` belong to one word."""
    if text[border - 1] == _JOINER:
        return True
    return border not in unspaced and _in_word(text, border - 1) and _in_word(text, border)


def _in_word(text: str, index: int) -> bool:
    character = text[index]
    if character in _INNER:
        return 0 < index < len(text) - 1 and text[index - 1].isalnum() and text[index + 1].isalnum()
    return (character.isalnum() or _mark(character)) and not _UNSPACED.match(character)


def _mark(character: str) -> bool:
    """Accents and variation selectors, which belong to the character before them."""
    return unicodedata.category(character).startswith("M")

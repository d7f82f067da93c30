"""Texts to token ids with character offsets, and token ids to batches."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from sparsecbm_core.errors import InputError

POOL_BATCHES = 50
TOGETHER = 3  # texts of a group in one batch: of more, the lengths differ too much

_SURROGATE = re.compile("[\ud800-\udfff]")
_STRIP_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as T tokens, special tokens included.

    ``offsets`` are the character spans [start, end) in the text, (0, 0) for special tokens.
    ``total_tokens`` is what the whole text would take; ``kept_chars`` the end of the last
    character that is inside the kept tokens.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    special: tuple[bool, ...]
    total_tokens: int
    kept_chars: int


@dataclass(frozen=True)
class TokenBatch:
    """B texts padded on the right to the longest, T tokens; both tensors are int64 (B, T).

    ``attention_mask`` is 1 for tokens and 0 for padding.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor


def tokenize(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[Encoded]:
    """Tokenise texts, each cut to its first ``max_length`` tokens (special tokens included).

    Any text works. Lone surrogates, which no tokenizer accepts, are read as U+FFFD; offsets
    still fit the text given. A text that yields no token at all becomes one special token, so
    that every row of a batch has something to pool. The tokenizer is used without its own
    truncation and padding, so threads can share it.

    Raises `InputError` if the tokenizer is not a fast one (only those know character offsets),
    if ``texts`` is not a list of texts, or if ``max_length`` leaves no room for a word.

    >>> tokenize(model.tokenizer, ["Cold soup."], 16)[0].offsets
    ((0, 0), (0, 4), (5, 9), (9, 10), (0, 0))
    """
    backend = getattr(tokenizer, "backend_tokenizer", None) if getattr(tokenizer, "is_fast", False) else None
    if backend is None:
        raise InputError(
            f"{type(tokenizer).__name__} is not a fast tokenizer and knows no character offsets; "
            "load it with AutoTokenizer.from_pretrained(..., use_fast=True)"
        )
    least = backend.num_special_tokens_to_add(False) + 1
    if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < least:
        raise InputError(f"max_length must be a whole number of at least {least}, got {max_length!r}")
    if isinstance(texts, str):
        raise InputError("texts must be a list of texts, got a single text")
    clean = []
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {position} is not text but {type(text).__name__}: {text!r:.80}")
        clean.append(without_surrogates(text))
    _strip(backend)
    return [_encoded(tokenizer, encoding, max_length) for encoding in backend.encode_batch(clean)]


def without_surrogates(text: str) -> str:
    """Lone surrogates, which neither a tokenizer nor a JSON file takes, become U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def _strip(backend: Any) -> None:
    """Remove truncation and padding saved with a tokenizer, once.

    Changing them while another thread encodes fails in the tokenizers library, so nothing is
    written where nothing has to change.
    """
    with _STRIP_LOCK:
        if backend.truncation is not None:
            backend.no_truncation()
        if backend.padding is not None:
            backend.no_padding()


def _encoded(tokenizer: Any, encoding: Any, max_length: int) -> Encoded:
    ids, offsets, special = encoding.ids, encoding.offsets, encoding.special_tokens_mask
    total = len(ids)
    if total == 0:
        return Encoded((_stand_in(tokenizer),), ((0, 0),), (True,), 1, 0)
    if total > max_length:
        # Special tokens all stay; of the text, the first tokens that fit.
        room = max_length - sum(special)
        keep = []
        for position, is_special in enumerate(special):
            if is_special:
                keep.append(position)
            elif room > 0:
                keep.append(position)
                room -= 1
        ids = [ids[position] for position in keep]
        offsets = [offsets[position] for position in keep]
        special = [special[position] for position in keep]
    end = max((stop for _, stop in offsets), default=0)  # special tokens end at 0
    return Encoded(tuple(ids), tuple(offsets), tuple(map(bool, special)), total, end)


def _stand_in(tokenizer: Any) -> int:
    """The token for a text without any, where the tokenizer adds no special tokens."""
    for name in ("bos_token_id", "cls_token_id", "eos_token_id", "unk_token_id", "pad_token_id"):
        token = getattr(tokenizer, name, None)
        if token is not None:
            return int(token)
    raise InputError(f"{type(tokenizer).__name__} yields no token for an empty text and has no special token")


def padded(
    texts: Sequence[Sequence[int]], pad_id: int, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask (N, T) of N texts, padded on the right to the longest."""
    width = max(map(len, texts))
    ids = torch.tensor([[*text, *[pad_id] * (width - len(text))] for text in texts], device=device)
    lengths = torch.tensor([len(text) for text in texts], device=device)
    return ids, (torch.arange(width, device=device) < lengths[:, None]).long()


def collate(encoded: Sequence[Encoded], pad_id: int) -> TokenBatch:
    """Pad B encoded texts on the right to the longest; `InputError` if there are none.

    >>> collate(model.encode(["Cold soup.", "Cold soup, slow waiter."]), pad_id=0).input_ids.shape
    torch.Size([2, 8])
    """
    if not encoded:
        raise InputError("a batch needs at least one text")
    return TokenBatch(*padded([item.ids for item in encoded], pad_id))  # (B, T) both


def length_buckets(
    lengths: Sequence[int],
    batch_size: int,
    generator: torch.Generator | None = None,
    groups: Sequence[str] | None = None,
) -> list[list[int]]:
    """Cut the indices 0 … N−1 into batches of similar length; every index comes exactly once.

    Without a generator, all are sorted by length. With one, they are shuffled, cut into pools
    of 50 batches, sorted by length inside each pool, cut into batches, and the batches are
    shuffled: random enough to train on, with little padding. One batch may be smaller. Up to three indices of
    one of the ``groups`` (a name for each), those nearest in length, then stay together where a batch has
    room for them.
    Raises `InputError` for a batch size below 1.

    >>> length_buckets([3, 9, 4, 8], batch_size=2)
    [[0, 2], [3, 1]]
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
    if generator is None:
        return _cut(sorted(range(len(lengths)), key=lengths.__getitem__), batch_size)
    members: dict[str | int, list[int]] = {}
    for index in range(len(lengths)):
        members.setdefault(index if groups is None else groups[index], []).append(index)
    whole = [few for group in members.values() for few in _in_few(group, lengths)]
    ranked: list[int] = []
    pool: list[list[int]] = []
    for position in _permutation(len(whole), generator):
        pool.append(whole[position])
        if sum(map(len, pool)) >= POOL_BATCHES * batch_size:
            ranked += _by_length(pool, lengths)
            pool = []
    batches = _cut(ranked + _by_length(pool, lengths), batch_size)
    return [batches[position] for position in _permutation(len(batches), generator)]


def _in_few(group: list[int], lengths: Sequence[int]) -> list[list[int]]:
    """A group in parts of as many texts, no more than `TOGETHER`, the shortest first."""
    ordered, parts = sorted(group, key=lengths.__getitem__), -(-len(group) // TOGETHER)
    bounds = [len(group) * part // parts for part in range(parts + 1)]
    return [ordered[start:end] for start, end in pairwise(bounds)]


def _by_length(groups: list[list[int]], lengths: Sequence[int]) -> list[int]:
    """The indices of all groups, by their longest text: what a batch is padded to."""
    ordered = sorted(groups, key=lambda group: max(lengths[i] for i in group))
    return [index for group in ordered for index in group]


def _cut(indices: list[int], size: int) -> list[list[int]]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def _permutation(size: int, generator: torch.Generator) -> list[int]:
    permutation: list[int] = torch.randperm(size, generator=generator, device=generator.device).tolist()
    return permutation

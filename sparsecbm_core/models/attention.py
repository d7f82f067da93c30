"""Attention without what it need not do: the heads that a subnetwork has no part of and, for who asks for it,
the table of T × T weights of a long text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from sparsecbm_core.models.subnetworks import MaskedLinear, ReadsByRows, active_weights

NAME = "sparsecbm"
LONG = 256  # tokens; the fused kernel for the CPU is slower on fewer
_VALUES = ("value", "v_lin", "v_proj")  # what encoders call the layer that makes the values
# Logits squeezed (Gemma 2), weights that do not sum to one (GPT-OSS), distances between tokens (T5)
_BEYOND = ("softcap", "s_aux", "sinks", "position_bias")

_FUSED: ContextVar[bool] = ContextVar("fused_attention", default=False)


@contextmanager
def fused_when_long() -> Iterator[None]:
    """Inside, texts of `LONG` tokens or more are read by the fused kernel, unless there is dropout: less time
    and memory, the same numbers but for their last digits. Outside, attention is made step by step and can be
    looked at."""
    token = _FUSED.set(True)
    try:
        yield
    finally:
        _FUSED.reset(token)


@cache
def register() -> str:
    """Make it known to transformers; the name to give for ``attn_implementation``."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, eager_mask)
    return NAME


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(B, T, H, E) of queries (B, H, T, E), keys and values (B, h, T, E), and the weights (B, H, T, T) where
    there are. Of grouped queries (h < H), H/h heads in a row look with the same keys.

    A head whose values are all made of the bias alone gives that bias, wherever it looks. Of subnetworks of
    whole rows only the other heads are computed (not under dropout, which takes parts of the bias away).
    """
    heads = None if dropout or _more(options) else _heads_in_use(module, *value.shape[1::2])
    if heads is None:
        return _plain(module, query, key, value, attention_mask, scaling, dropout, **options)
    parts = []
    size = len(query) // len(heads)  # texts of one concept
    shared = query.shape[1] // value.shape[1]  # queries that look with the same keys
    for place, own in enumerate(heads):
        rows = slice(place * size, (place + 1) * size)
        mask = None if attention_mask is None else attention_mask.expand(len(query), -1, -1, -1)[rows]
        asking = (own[:, None] * shared + torch.arange(shared, device=own.device)).flatten()
        k, v = (tensor[rows].index_select(1, own) for tensor in (key, value))
        q = query[rows].index_select(1, asking)
        mixed, _ = _plain(module, q, k, v, mask, scaling, dropout, **options)  # (B/K, T, ·, E)
        whole = value[rows].repeat_interleave(shared, 1) if shared > 1 else value[rows]
        parts.append(whole.transpose(1, 2).index_copy(2, asking, mixed))
    return torch.cat(parts), None


def _plain(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None,
    dropout: float,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    long = query.device.type == "cpu" and query.shape[2] >= LONG
    if _FUSED.get() and dropout == 0.0 and long and not _more(options):
        seen = None if attention_mask is None else attention_mask == 0
        grouped = key.shape[1] < query.shape[1]
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=seen, scale=scaling, enable_gqa=grouped
        )
        return mixed.transpose(1, 2).contiguous(), None
    eager = sys.modules[type(module).__module__].eager_attention_forward
    return eager(module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **options)


def _more(options: Mapping[str, Any]) -> list[str]:
    """What an encoder asks of attention beyond softmax(q kᵀ · scaling + mask) v."""
    return [name for name in _BEYOND if options.get(name) is not None]


def _heads_in_use(module: torch.nn.Module, heads: int, width: int) -> Sequence[torch.Tensor] | None:
    """For each subnetwork the heads (n,) of ``heads`` that it has values of; None where all are computed."""
    weights = active_weights()
    if weights is None:
        return None
    layers = (getattr(module, name, None) for name in _VALUES)
    layer = next((layer for layer in layers if isinstance(layer, MaskedLinear)), None)
    matrix: object = None if layer is None else weights.matrices.get(layer.name)
    rows = matrix.rows_in_use() if isinstance(matrix, ReadsByRows) else None
    if rows is None:
        return None
    found = [torch.unique(own // width) for own in rows]
    return found if sum(map(len, found)) < heads * len(found) else None

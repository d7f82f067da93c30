"""Attention of long texts without its table of T × T weights, for who asks for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

NAME = "sparsecbm"
LONG = 256  # tokens; the fused kernel for the CPU is slower on fewer

_FUSED: ContextVar[bool] = ContextVar("fused_attention", default=False)


@contextmanager
def fused_when_long() -> Iterator[None]:
    """Inside, texts of `LONG` tokens or more are read by the fused kernel: less time and memory, the same
    numbers but for their last digits. Outside, attention is made step by step and can be looked at."""
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
    """(B, T, H, E) of queries, keys and values (B, H, T, E), and the weights (B, H, T, T) where there are."""
    plain = attention_mask is None and dropout == 0.0 and query.dtype == torch.float32
    if _FUSED.get() and plain and query.device.type == "cpu" and query.shape[2] >= LONG:
        mixed = F.scaled_dot_product_attention(query, key, value, scale=scaling)
        return mixed.transpose(1, 2).contiguous(), None
    eager = sys.modules[type(module).__module__].eager_attention_forward
    return eager(module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **options)

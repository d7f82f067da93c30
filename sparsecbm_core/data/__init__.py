"""Data sets of labelled reviews, and tokens and batches made of their texts."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sparsecbm_core.data.cebab import load_cebab, load_cebab_hub
from sparsecbm_core.data.imdb import load_imdb
from sparsecbm_core.data.stats import DatasetStats, Share, SplitCount, dataset_stats, format_stats
from sparsecbm_core.data.table import load_csv
from sparsecbm_core.data.types import Example, LoadReport, ReviewDataset

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded, TokenBatch, collate, length_buckets, tokenize

__all__ = [
    "DatasetStats",
    "Encoded",
    "Example",
    "LoadReport",
    "ReviewDataset",
    "Share",
    "SplitCount",
    "TokenBatch",
    "collate",
    "dataset_stats",
    "format_stats",
    "length_buckets",
    "load_cebab",
    "load_cebab_hub",
    "load_csv",
    "load_imdb",
    "tokenize",
]

_NEED_TORCH = ("Encoded", "TokenBatch", "collate", "length_buckets", "tokenize")


def __getattr__(name: str) -> Any:
    """Load what needs torch only when it is asked for."""
    if name in _NEED_TORCH:
        return getattr(importlib.import_module("sparsecbm_core.data.batches"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Interventions: a concept set by hand for once (`oracle`), or corrected inside the model (`correct`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sparsecbm_core.verbs import callable_as

if TYPE_CHECKING:
    from sparsecbm_core.intervene.applied import apply_patch
    from sparsecbm_core.intervene.edits import FlipCount, MaskEdit, net_edit
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.intervene.patch import Patch

__all__ = ["FlipCount", "MaskEdit", "OracleResult", "Patch", "apply_patch", "net_edit"]

# Looked up on first use: a list of rules must not load what flips bits.
_HOMES = {
    "FlipCount": "edits",
    "MaskEdit": "edits",
    "OracleResult": "oracle",
    "Patch": "patch",
    "apply_patch": "applied",
    "net_edit": "edits",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


callable_as(__name__, "correct", "intervene")

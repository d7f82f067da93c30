"""The concept bottlenecks there are, by the name of what stands between their concepts and the label."""

from __future__ import annotations

from collections.abc import Mapping

from sparsecbm_core.errors import SettingsError, one_of
from sparsecbm_core.models.honest_cbm import HonestCBM
from sparsecbm_core.models.sparse_cbm import SparseCBM

BOTTLENECKS: Mapping[str, type[SparseCBM]] = {kind.head: kind for kind in (HonestCBM, SparseCBM)}


def bottleneck_class(head: str) -> type[SparseCBM]:
    """`SettingsError` for a head that there is not."""
    if head not in BOTTLENECKS:
        raise SettingsError(one_of(head, BOTTLENECKS, "head"))
    return BOTTLENECKS[head]

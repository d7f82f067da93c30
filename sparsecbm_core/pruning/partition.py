"""Subnetworks that share no weight: attention dimensions and feed-forward neurons, each given to one concept.

Second-order scores rank nearly the same weights highest for every concept, and a penalty on sharing leaves
each subnetwork with scattered weights that compute nothing together. Here whole *units* change hands: a
dimension of the attention (a row of query, key and value, a column of the attention output) or a neuron of
the feed-forward part (a row of the first matrix, a column of the second). The concepts take turns to choose
the unit that matters most to them, by the summed second-order scores of its weights (Eq. 9 of the paper).
Within its units a subnetwork is whole, so that what it computes can be reconstructed from the dense model
(see `compensate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.roles import ROLES, MatrixInfo, role_order
from sparsecbm_core.pruning.select import Scores, kept_total, top_indices

_ROWS = ("query", "key", "value", "feed-forward in")  # a unit is a row of these, and a column of the others


@dataclass(frozen=True)
class UnitGroup:
    """Matrices of one layer that are cut along the same ``width`` units; ``matrices`` name → whether a unit
    is a row (else a column). ``block`` consecutive units (an attention head) stay together where they can."""

    matrices: Mapping[str, bool]
    width: int
    block: int


def unit_groups(infos: Sequence[MatrixInfo], heads: int) -> list[UnitGroup]:
    """Attention and feed-forward of every layer, in layer order.

    Raises `SettingsError` for an encoder whose layers are not of the six usual matrices, or where several
    queries share a key.
    """
    groups = []
    for layer in sorted({info.layer for info in infos}):
        own = {info.role: info for info in infos if info.layer == layer}
        _check_roles(layer, set(own))
        for roles in (ROLES[:4], ROLES[4:]):
            widths = [own[role].shape[0 if role in _ROWS else 1] for role in roles]
            if len(set(widths)) > 1:
                raise SettingsError(
                    f"the {', '.join(roles)} of layer {layer} have {widths} units; a partition needs equal "
                    "numbers, method gradual does not"
                )
            width = widths[0]
            block = width // heads if roles[0] == "query" and width % heads == 0 else 1
            groups.append(UnitGroup({own[role].name: role in _ROWS for role in roles}, width, block))
    return groups


def _check_roles(layer: int, own: set[str]) -> None:
    lacks = [role for role in ROLES if role not in own]
    more = sorted(own - set(ROLES), key=role_order)
    if lacks or more:
        found = [f"no {', '.join(lacks)}"] * bool(lacks) + [", ".join(map(repr, more))] * bool(more)
        raise SettingsError(
            f"layer {layer} has {' but '.join(found)}; a partition needs {', '.join(ROLES)} and no more, "
            "method gradual does not"
        )


def partition(
    scores: Scores, shapes: Mapping[str, tuple[int, int]], groups: Sequence[UnitGroup], sparsity: float
) -> dict[str, np.ndarray]:
    """Disjoint boolean masks (K, O·I) per matrix; ``scores`` (K, O·I) say what each weight is worth to whom.

    Every concept gets as many units, whole. Where widths do not divide by K the few left over are nobody's,
    and the sparsity is a little above 1 − 1/K: subnetworks of whole units are multiplied by their own part
    alone. Of its units a concept keeps `kept_total` weights where the sparsity asks for fewer, without the
    least valuable.

    Raises `SettingsError` where K subnetworks of that sparsity cannot be disjoint (s < 1 − 1/K), or where a
    layer has fewer units than there are concepts.
    """
    concepts = next(iter(scores.values())).shape[0]
    if (1.0 - sparsity) * concepts > 1.0 + 1e-9:
        raise SettingsError(
            f"{concepts} subnetworks of sparsity {sparsity:g} cannot be disjoint; a partition needs at least "
            f"{1 - 1 / concepts:.4g} (1 - 1/K)"
        )
    owned = {}
    for group in groups:
        if group.width < concepts:
            raise SettingsError(
                f"{concepts} subnetworks cannot share out the {group.width} units of "
                f"{', '.join(group.matrices)}"
            )
        worth = np.zeros((concepts, group.width))
        for name, is_row in group.matrices.items():
            worth += scores[name].reshape(concepts, *shapes[name]).sum(axis=2 if is_row else 1)
        owner = _share_out(worth, group.block)
        for name, is_row in group.matrices.items():
            mine = owner == np.arange(concepts)[:, None]  # (K, width)
            full = mine[:, :, None] if is_row else mine[:, None, :]
            owned[name] = np.broadcast_to(full, (concepts, *shapes[name])).reshape(concepts, -1).copy()
    return _at_most(
        owned, scores, kept_total(sum(rows * columns for rows, columns in shapes.values()), sparsity)
    )


def _share_out(worth: np.ndarray, block: int) -> np.ndarray:
    """Owner (width,) of every unit, -1 for nobody: whole blocks in turns, of what is left over equal runs."""
    concepts, width = worth.shape
    blocks = width // block
    by_block = worth[:, : blocks * block].reshape(concepts, blocks, block).sum(axis=2)
    turns, owner = blocks // concepts, np.full(width, -1)
    free = np.ones(blocks, dtype=bool)
    for turn in range(turns):
        order = range(concepts) if turn % 2 == 0 else range(concepts - 1, -1, -1)
        for k in order:
            chosen = int(np.where(free, by_block[k], -np.inf).argmax())
            free[chosen] = False
            owner[chosen * block : (chosen + 1) * block] = k
    left = np.flatnonzero(owner < 0)
    run = len(left) // concepts
    owner[left[: run * concepts]] = np.repeat(np.arange(concepts), run)
    return owner


def _at_most(owned: Mapping[str, np.ndarray], scores: Scores, keep: int) -> dict[str, np.ndarray]:
    """No more than ``keep`` weights for every concept: the most valuable of its own."""
    names = list(owned)
    sizes = [owned[name].shape[1] for name in names]
    mine = np.concatenate([owned[name] for name in names], axis=1)  # (K, L)
    worth = np.concatenate([scores[name] for name in names], axis=1)
    for k, row in enumerate(mine):
        surplus = int(row.sum()) - keep
        if surplus > 0:
            row[top_indices(np.where(row, -worth[k], -np.inf), surplus)] = False
    ends = np.cumsum(sizes)[:-1]
    return dict(zip(names, np.split(mine, ends, axis=1), strict=True))

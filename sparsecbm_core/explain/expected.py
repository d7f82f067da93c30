"""Concept → label on the labels' own scale: the expected value, and what every part adds to it."""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from sparsecbm_core.explain.concepts import LabelParts
from sparsecbm_core.explain.results import ExpectedValue
from sparsecbm_core.models.sparse_cbm import SparseCBM

EXACT = 9  # parts up to which all 2^P coalitions are evaluated: in a millisecond
ORDERS = 256  # random orders of more parts
AT_ONCE = 2**22  # label probabilities of coalitions in memory


def expected_value(network: SparseCBM, parts: LabelParts) -> ExpectedValue | None:
    """Of one text's label parts; None where the labels have no order."""
    values = network.space.label_values
    if values is None:
        return None
    shares, value, base = shapley_values(parts.relative[None], parts.base, torch.tensor(values))
    return ExpectedValue(
        value=float(value[0]),
        base=float(base),
        parts=dict(zip(network.parts, shares[0].tolist(), strict=True)),
        unit=network.space.label_unit,
        exact=len(network.parts) <= EXACT,
    )


def shapley_values(
    contributions: torch.Tensor, base: torch.Tensor, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Expected label of N texts shared out among P parts: (N, P), with its value (N,) and the base's ().

    ``contributions`` (N, P, Y) add to the label logits, ``base`` (Y,) are those with no part in, ``values``
    (Y,) place the labels on their scale. The game v(S) = Σ_y values_y · softmax(base + Σ_{p∈S}
    contributions_p)_y needs no encoder pass; its Shapley values (Shapley 1953) are exact up to `EXACT` parts,
    from `ORDERS` random orders of a fixed seed, each with its reverse, above. They add up either way.
    """
    contributions, base, values = contributions.double(), base.double(), values.double()
    count, parts = contributions.shape[:2]

    def worth(coalitions: torch.Tensor, some: torch.Tensor) -> torch.Tensor:
        """v of coalitions (S, P) for texts (n, P, Y): (n, S)."""
        logits = torch.einsum("sp,npy->nsy", coalitions, some) + base
        return logits.softmax(-1) @ values

    if parts <= EXACT:
        coalitions, weights = _coalitions(parts)
    else:
        coalitions, weights = _sampled(parts)
    shares = torch.empty(count, parts, dtype=torch.float64)
    step = max(1, AT_ONCE // (len(coalitions) * len(values)))
    for first in range(0, count, step):
        some = slice(first, first + step)
        shares[some] = worth(coalitions, contributions[some]) @ weights
    shares[(contributions == 0).all(-1)] = 0.0  # who adds nothing to any coalition; rounding would
    ends = worth(torch.tensor([[0.0] * parts, [1.0] * parts], dtype=torch.float64), contributions)  # (N, 2)
    return shares, ends[:, 1], base.softmax(-1) @ values


@lru_cache(maxsize=16)
def _coalitions(parts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """All 2^P coalitions (S, P), and the weights (S, P) of their worth in each part's Shapley value."""
    members = torch.arange(2**parts)[:, None] >> torch.arange(parts) & 1  # (S, P)
    size = members.sum(1)
    chance = [math.factorial(n) * math.factorial(parts - n - 1) / math.factorial(parts) for n in range(parts)]
    table = torch.tensor([0.0, *chance, 0.0], dtype=torch.float64)  # of the coalition without the part
    inside, outside = table[size][:, None], table[size + 1][:, None]
    return members.double(), torch.where(members == 1, inside, -outside)


@lru_cache(maxsize=16)
def _sampled(parts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Coalitions along random orders and their reverses, weighed as the mean marginal worth of each part."""
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(parts, generator=generator) for _ in range(ORDERS // 2)]
    orders += [order.flip(0) for order in orders]
    coalitions = torch.zeros(len(orders), parts + 1, parts, dtype=torch.float64)
    weights = torch.zeros_like(coalitions)
    for number, order in enumerate(orders):
        for place, part in enumerate(order.tolist()):
            coalitions[number, place + 1 :, part] = 1.0
            weights[number, place, part] -= 1.0 / len(orders)
            weights[number, place + 1, part] += 1.0 / len(orders)
    return coalitions.flatten(0, 1), weights.flatten(0, 1)

"""What a token method says of itself: how it is called, what it costs, whether it has a sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from sparsecbm_core.explain.tokens.inputs import TokenInputs


@dataclass(frozen=True)
class TokenMethod:
    """One way to score words.

    ``signed`` scores say for or against the explained state, measured by its lead over the other ones
    (`TokenInputs.leads`); unsigned ones only how much. ``score`` gives the scores (K, G) of the G words of
    every concept, and K convergence deltas if it has any.

    ``uses_graph`` methods differentiate the very pass that gave the prediction, others that are not
    ``only_reads`` passes of their own. ``passes`` says how often the text is read anew for each concept, of
    the steps and of the number of words. ``cost`` is what scoring the words of a review takes, about, in
    reads of it by all subnetworks.

    >>> from sparsecbm_core.explain import METHODS
    >>> METHODS["gradient"].signed, METHODS["occlusion"].signed
    (False, True)
    """

    name: str
    title: str
    description: str
    score: Callable[[TokenInputs], tuple[torch.Tensor, tuple[float, ...] | None]]
    signed: bool
    uses_graph: bool
    passes: Callable[[int, int], int]
    cost: float
    only_reads: bool = False

"""How far the scoring of a review's words is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.models.subnetworks import EffectiveWeights, RowWeights


@dataclass(frozen=True)
class _Watched:
    """One matrix, which tells of the rows that pass through it and is otherwise what it was."""

    matrix: RowWeights
    on_rows: Callable[[int], None]

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        self.on_rows(x.shape[0])
        return self.matrix.linear(x, bias)

    def with_replaced(self, k: int, weight: torch.Tensor) -> RowWeights:
        return _Watched(self.matrix.with_replaced(k, weight), self.on_rows)

    def only(self, k: int) -> RowWeights:
        return _Watched(self.matrix.only(k), self.on_rows)


def watched(
    model: ConceptModel, text: str, method: str, steps: int, on_progress: Callable[[float], None]
) -> EffectiveWeights | None:
    """The model's weights, which report the share of the work done when ``text`` is scored with them.

    The methods read the text again and again: what passes through the last matrix counts the passes. None
    for a dense model, which tells nothing.
    """
    from sparsecbm_core.explain.words import words_of

    weights = model.weights
    if weights is None:
        return None
    passes = {
        "integrated_gradients": lambda: steps,
        "occlusion": lambda: len(words_of(text, model.encode([text])[0])),
    }
    rows = (1 + passes.get(method, lambda: 0)()) * model.space.num_concepts
    done = 0

    def on_rows(count: int) -> None:
        nonlocal done
        done += count
        on_progress(min(1.0, done / rows))

    last = model.cbm.matrices[-1].name
    return replace(weights, matrices={**weights.matrices, last: _Watched(weights.matrices[last], on_rows)})

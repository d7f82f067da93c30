"""The token methods by name, loaded when first used: names and help texts need no torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sparsecbm_core.errors import InputError, one_of

if TYPE_CHECKING:
    import torch

    from sparsecbm_core.explain.tokens.inputs import TokenInputs


DEFAULT_METHOD = "integrated_gradients"
DEFAULT_STEPS = 32


@dataclass(frozen=True)
class TokenMethod:
    """One way to score words.

    ``signed`` scores say for or against the explained state, measured by its lead over the other ones
    (`TokenInputs.leads`); unsigned ones only how much.
    ``uses_graph`` methods differentiate the very pass that gave the prediction, others that are not
    ``only_reads`` passes of their own. ``passes`` says how often the text is read anew for each concept, of
    the steps and of the number of words.
    """

    name: str
    title: str
    description: str
    signed: bool
    uses_graph: bool
    module: str
    passes: Callable[[int, int], int]
    only_reads: bool = False

    def score(self, inputs: TokenInputs) -> tuple[torch.Tensor, tuple[float, ...] | None]:
        """Scores (K, G) of the G words of every concept, and K convergence deltas if it has any."""
        module = importlib.import_module(f"sparsecbm_core.explain.tokens.{self.module}")
        return module.score(inputs)


METHODS: Mapping[str, TokenMethod] = MappingProxyType(
    {
        method.name: method
        for method in (
            TokenMethod(
                "integrated_gradients",
                "Integrated gradients",
                "gradients summed on the way from a blank text: scores add up to what the state gained",
                signed=True,
                uses_graph=False,
                module="integrated_gradients",
                passes=lambda steps, words: steps + 1,
            ),
            TokenMethod(
                "gradient",
                "Gradient norm",
                "length of the logit's gradient at each word, the paper's measure: fast, without a sign",
                signed=False,
                uses_graph=True,
                module="gradient_norm",
                passes=lambda steps, words: 0,
            ),
            TokenMethod(
                "input_x_gradient",
                "Input × gradient",
                "gradient times embedding: as fast as the gradient norm, with a sign",
                signed=True,
                uses_graph=True,
                module="input_x_gradient",
                passes=lambda steps, words: 0,
            ),
            TokenMethod(
                "occlusion",
                "Leave one out",
                "what the state loses when the word is deleted: one pass a word, slow on long texts",
                signed=True,
                uses_graph=False,
                module="occlusion",
                passes=lambda steps, words: words,
                only_reads=True,
            ),
        )
    }
)


def token_method(name: str) -> TokenMethod:
    """The method of that name; `InputError` listing all names otherwise."""
    if name not in METHODS:
        raise InputError(one_of(name, METHODS, "token method"))
    return METHODS[name]

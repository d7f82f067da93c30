"""The token methods by name. Their files load torch when a method is used: names and help texts need none."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.explain.tokens import gradient_norm, input_x_gradient, integrated_gradients, occlusion
from sparsecbm_core.explain.tokens.method import TokenMethod

DEFAULT_METHOD = "integrated_gradients"
DEFAULT_STEPS = 32

_METHODS: dict[str, TokenMethod] = {
    module.METHOD.name: module.METHOD
    for module in (integrated_gradients, gradient_norm, input_x_gradient, occlusion)
}
METHODS: Mapping[str, TokenMethod] = MappingProxyType(_METHODS)


def token_method(name: str) -> TokenMethod:
    """The method of that name; `InputError` listing all names otherwise.

    >>> token_method("occlusion").title
    'Occlusion'
    """
    if name not in METHODS:
        raise InputError(one_of(name, METHODS, "token method"))
    return METHODS[name]

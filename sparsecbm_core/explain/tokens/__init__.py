"""Token methods: which words move a concept's logit, one method a file."""

from sparsecbm_core.explain.tokens.method import TokenMethod
from sparsecbm_core.explain.tokens.registry import METHODS, token_method

__all__ = ["METHODS", "TokenMethod", "token_method"]

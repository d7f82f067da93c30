"""Why this label: contributions of concepts, scores of words, and what the subnetworks are."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sparsecbm_core.explain.results import (
    ConceptExplanation,
    ExpectedValue,
    Explanation,
    RestExplanation,
    TokenScore,
    Truncation,
)
from sparsecbm_core.explain.tokens.method import TokenMethod
from sparsecbm_core.explain.tokens.registry import METHODS, token_method
from sparsecbm_core.verbs import callable_as

if TYPE_CHECKING:
    from sparsecbm_core.explain.explainer import explain, explain_many, score_tokens, with_tokens
    from sparsecbm_core.explain.schema import explanation_json_schema, load_explanation
    from sparsecbm_core.explain.subnetworks import (
        DensityImage,
        SubnetworkStats,
        density_image,
        subnetwork_stats,
    )
    from sparsecbm_core.explain.swapped import CrossAccuracy, cross_accuracy

__all__ = [
    "METHODS",
    "ConceptExplanation",
    "CrossAccuracy",
    "DensityImage",
    "ExpectedValue",
    "Explanation",
    "RestExplanation",
    "SubnetworkStats",
    "TokenMethod",
    "TokenScore",
    "Truncation",
    "cross_accuracy",
    "density_image",
    "explain",
    "explain_many",
    "explanation_json_schema",
    "load_explanation",
    "score_tokens",
    "subnetwork_stats",
    "token_method",
    "with_tokens",
]

_LAZY = {
    "explain": "explainer",
    "explain_many": "explainer",
    "score_tokens": "explainer",
    "with_tokens": "explainer",
    "explanation_json_schema": "schema",
    "load_explanation": "schema",
    "CrossAccuracy": "swapped",
    "DensityImage": "subnetworks",
    "SubnetworkStats": "subnetworks",
    "cross_accuracy": "swapped",
    "density_image": "subnetworks",
    "subnetwork_stats": "subnetworks",
}


def __getattr__(name: str) -> Any:
    """Load what needs torch only when it is asked for."""
    if name in _LAZY:
        return getattr(importlib.import_module(f"sparsecbm_core.explain.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


callable_as(__name__, "explainer", "explain")

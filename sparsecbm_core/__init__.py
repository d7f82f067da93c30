"""SparseCBM: concept bottleneck models whose encoder is one sparse subnetwork per concept."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sparsecbm_core.version import __version__

if TYPE_CHECKING:
    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.config import PruneSettings, TrainSettings
    from sparsecbm_core.data import load_cebab, load_csv, load_imdb
    from sparsecbm_core.errors import SparseCBMError
    from sparsecbm_core.evaluate.report import evaluate_model as evaluate
    from sparsecbm_core.explain.explainer import explain
    from sparsecbm_core.intervene.correct import intervene
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.models.masks import MaskSet
    from sparsecbm_core.training.trainer import Trainer

# Looked up on first use: importing the package must not load torch.
_HOMES = {
    "ConceptModel": "models.concept_model",
    "ConceptSpace": "concepts",
    "MaskSet": "models.masks",
    "PruneSettings": "config",
    "SparseCBMError": "errors",
    "TrainSettings": "config",
    "Trainer": "training.trainer",
    "load_cebab": "data",
    "load_csv": "data",
    "load_imdb": "data",
}
_VERBS = ("evaluate", "explain", "intervene")  # packages that can be called

__all__ = [
    "ConceptModel",
    "ConceptSpace",
    "MaskSet",
    "PruneSettings",
    "SparseCBMError",
    "TrainSettings",
    "Trainer",
    "__version__",
    "evaluate",
    "explain",
    "intervene",
    "load_cebab",
    "load_csv",
    "load_imdb",
]


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

"""Interventions: a concept set by hand for once, or corrected inside the model."""

from sparsecbm_core.intervene.edits import FlipCount, MaskEdit, net_edit
from sparsecbm_core.intervene.oracle import OracleResult, oracle
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.verbs import callable_as

__all__ = ["FlipCount", "MaskEdit", "OracleResult", "Patch", "net_edit", "oracle"]

callable_as(__name__, "correct", "intervene")
